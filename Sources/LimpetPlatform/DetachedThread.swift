internal import Glibc

/// A thread that nobody waits for: for work that blocks, which must not run on an event loop or the cooperative pool.
public enum DetachedThread {
  private final class Start {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Starts a thread under a name of at most 15 bytes, which `ps -L` shows.
  ///
  /// - Returns: 0, or why the kernel gave none, an errno.
  public static func start(_ name: String, _ body: @escaping @Sendable () -> Void) -> CInt {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 512 * 1024)

    // A signal must not be given to a thread that may hang in the kernel. The new thread inherits the mask.
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var thread = pthread_t()
    let failure = pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        DetachedThread.name(start.name)
        start.body()
        return nil
      }, start.toOpaque())
    if failure != 0 { start.release() }
    return failure
  }

  /// Names the calling thread (proc_pid_comm(5)); Swift sees neither prctl nor pthread_setname_np.
  private static func name(_ name: String) {
    let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    _ = write(descriptor, name, name.utf8.count)
    close(descriptor)
  }
}
