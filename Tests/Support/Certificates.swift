import Foundation
import Testing

/// A certificate authority and a server certificate of it.
package struct Certificates: Sendable {
  package let authority: String
  package let server: String
  package let serverKey: String
}

extension Scene {
  /// Made with the openssl command.
  /// - Parameters:
  ///   - names: who the server's certificate is for.
  ///   - validity: its first and last second, as `YYYYMMDDHHMMSSZ`; nil: two days from now.
  package func certificates(
    _ name: String = "tls", names: String = "DNS:localhost,IP:127.0.0.1", validity: (String, String)? = nil
  ) async throws -> Certificates {
    let base = try write("subjectAltName=\(names)\n", to: "\(name)/names")
      .replacingOccurrences(of: "/names", with: "")
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256"]
    let request = ["openssl", "req"] + key
    var steps = [
      request + [
        "-x509", "-days", "2", "-subj", "/CN=Test authority", "-keyout", "\(base)/ca.key", "-out", "\(base)/ca.crt",
      ],
      request + ["-subj", "/CN=localhost", "-keyout", "\(base)/server.key", "-out", "\(base)/server.csr"],
      [
        "openssl", "x509", "-req", "-days", "2", "-in", "\(base)/server.csr", "-CA", "\(base)/ca.crt", "-CAkey",
        "\(base)/ca.key", "-CAcreateserial", "-extfile", "\(base)/names", "-out", "\(base)/server.crt",
      ],
    ]
    if let (begin, end) = validity {
      try write("", to: "\(name)/index.txt")
      let file = try write(
        """
        [ca]
        default_ca = own
        [own]
        database = \(base)/index.txt
        new_certs_dir = \(base)
        rand_serial = yes
        default_md = sha256
        policy = any
        x509_extensions = names
        [any]
        commonName = supplied
        [names]
        subjectAltName = \(names)

        """, to: "\(name)/ca.conf")
      steps[2] = [
        "openssl", "ca", "-batch", "-config", file, "-in", "\(base)/server.csr", "-cert", "\(base)/ca.crt", "-keyfile",
        "\(base)/ca.key", "-out", "\(base)/server.crt", "-notext", "-startdate", begin, "-enddate", end,
      ]
    }
    for step in steps {
      let child = try await run("\(name)-openssl", step)
      try #require(child.ending == .exited(0))
    }
    return Certificates(authority: "\(base)/ca.crt", server: "\(base)/server.crt", serverKey: "\(base)/server.key")
  }
}
