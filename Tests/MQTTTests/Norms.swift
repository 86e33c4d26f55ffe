/// The mandatory normative statements that bind a client, or what a client receives: MQTT 5.0 Appendix B and MQTT 3.1.1
/// Appendix B. Those that bind a server alone are left out.
///
/// A test says in its name what it holds: `[MQTT-3.1.2-24]` for 5.0, and for 3.1.1 where the number means the same;
/// `[MQTT-3.1.2-24 v3.1.1]` for 3.1.1 where it means something else. `NormCoverageTests` compares the names with this.
///
/// A line is the number, the files whose tests hold it (two of them, where there are more), and what it says.
enum Norms {
  /// Under the same number in both versions.
  static let both = """
    3.1.0-1 | SessionConnectTests | the first packet is CONNECT
    3.1.3-1 | ConnectTests | CONNECT's fields stand in their order
    3.1.3-2 | SessionConnectTests | the client identifier identifies the session's state
    3.1.3-3 | ConnectTests | the client identifier is the first field
    3.1.3-4 | ConnectTests, WireTests | the client identifier is a UTF-8 string
    3.2.0-1 | SessionConnectTests | nothing but AUTH comes before CONNACK
    3.3.1-1 | SessionResumingTests | DUP is 1 where a PUBLISH is sent again
    3.3.1-2 | PacketDecoderTests, PacketEncodingTests | DUP is 0 with QoS 0
    3.3.1-3 | SessionResumingTests | DUP says nothing but that this PUBLISH is sent again
    3.3.1-4 | PacketDecoderTests | no QoS 3
    3.3.2-1 | PacketDecoderTests, WireTests | the topic name is the first field, and UTF-8
    3.3.2-2 | PacketDecoderTests, TopicTests | no wildcards in a topic name
    3.3.4-1 | SessionReceivingTests | a PUBLISH is answered as its QoS says
    3.6.1-1 | PacketEncodingTests | PUBREL has flags 0010
    3.8.1-1 | PacketEncodingTests | SUBSCRIBE has flags 0010
    3.8.3-1 | WireTests | a SUBSCRIBE's filters are UTF-8
    3.8.4-2 | SessionSubscribingTests | SUBACK has the identifier of its SUBSCRIBE
    3.9.3-1 | SessionSubscribingTests | SUBACK's codes have the order of the filters
    3.9.3-2 | PacketDecoderTests, ReasonCodeTests | SUBACK has codes of its own only
    3.10.1-1 | PacketEncodingTests | UNSUBSCRIBE has flags 0010
    3.10.3-1 | WireTests | an UNSUBSCRIBE's filters are UTF-8
    3.10.3-2 | PacketDecoderTests, SessionSubscribingTests | an UNSUBSCRIBE has a filter
    4.3.1-1 | SessionPublishingTests | QoS 0: DUP is 0
    4.4.0-1 | SessionPublishingOrderTests | what is unacknowledged is sent again under its identifier, after a reconnect only
    4.5.0-2 | MQTTClientBrokerTests | a PUBLISH is acknowledged whatever becomes of it
    4.6.0-1 | SessionResumingTests | PUBLISH is sent again in the order of the first time
    4.6.0-2 | SessionReceivingTests | PUBACK in the order of the PUBLISHes
    4.6.0-3 | SessionReceivingTests | PUBREC in the order of the PUBLISHes
    4.6.0-4 | SessionPublishingOrderTests | PUBREL in the order of the PUBRECs
    4.7.2-1 | TopicTests | wildcards at the start do not match $ topics
    4.7.3-1 | TopicTests | names and filters have a character
    4.7.3-2 | TopicTests | names and filters have no U+0000
    4.7.3-3 | TopicTests | names and filters have 65,535 bytes at most
    4.7.3-4 | TopicTests | names and filters are compared without normalization
    6.0.0-1 | WebSocketTests | packets go in binary frames; another frame ends the connection
    6.0.0-2 | WebSocketTests | packets and frames are not aligned
    6.0.0-3 | WebSocketTests | the client offers the sub-protocol mqtt
    6.0.0-4 | WebSocketTests | the server agrees to mqtt
    """

  static let v5 = """
    1.5.4-1 | WireTests | text is well-formed UTF-8
    1.5.4-2 | WireTests | text has no U+0000
    1.5.4-3 | WireTests | U+FEFF is not stripped
    1.5.5-1 | WireTests | a variable byte integer has as few bytes as it needs
    1.5.7-1 | WireTests | both texts of a pair are UTF-8
    2.1.3-1 | PacketDecoderTests, PacketEncodingTests | reserved flags have their values
    2.2.1-2 | PacketEncodingTests, SessionPublishingTests | QoS 0 has no packet identifier
    2.2.1-3 | PacketDecoderTests, SessionPublishingTests | a new packet has an unused identifier that is not 0
    2.2.1-5 | SessionPublishingTests, SessionReceivingTests | the answers of a PUBLISH have its identifier
    2.2.1-6 | SessionSubscribingTests | SUBACK and UNSUBACK have the identifier of their request
    2.2.2-1 | PacketEncodingTests | no properties are a length of 0
    3.1.2-1 | ConnectTests | the protocol's name is MQTT
    3.1.2-4 | SessionConnectTests | a clean start discards the session
    3.1.2-9 | ConnectTests | a will brings its fields
    3.1.2-11 | ConnectTests | no will: QoS 0
    3.1.2-12 | ConnectTests | a will's QoS is 0, 1 or 2
    3.1.2-13 | ConnectTests | no will: no retain
    3.1.2-16 | ConnectTests | no user name where its flag is 0
    3.1.2-17 | ConnectTests | a user name where its flag is 1
    3.1.2-18 | ConnectTests | no password where its flag is 0
    3.1.2-19 | ConnectTests | a password where its flag is 1
    3.1.2-20 | KeepAliveTests | PINGREQ where nothing else is sent for a keep alive
    3.1.2-21 | KeepAliveTests | the server's keep alive counts
    3.1.2-23 | SessionResumingTests | the session outlives its connection
    3.1.2-24 | PacketDecoderTests, SessionConnectTests | no packet above the Maximum Packet Size of the client
    3.1.2-26 | SessionReceivingTests | no topic alias above the maximum of the client
    3.1.2-27 | SessionReceivingTests | no topic alias where the maximum is 0 or absent
    3.1.2-29 | SessionConnectTests | no reason string or user property where they were not asked for
    3.1.2-30 | SessionAuthenticationTests | nothing but AUTH and DISCONNECT before CONNACK with an authentication method
    3.1.3-11 | TopicTests, WireTests | the will's topic is UTF-8
    3.1.3-12 | ConnectTests, WireTests | the user name is UTF-8
    3.2.0-2 | SessionConnectTests | one CONNACK
    3.2.2-1 | ConnectTests | CONNACK's reserved flags are 0
    3.2.2-2 | SessionConnectTests | no session present after a clean start
    3.2.2-4 | SessionConnectTests | session present without state here closes the connection
    3.2.2-5 | SessionConnectTests, SessionReceivingTests | no session present discards the state here
    3.2.2-6 | ConnectTests | no session present with a refusal
    3.2.2-7 | SessionConnectTests | a refusal ends the connection
    3.2.2-8 | ReasonCodeTests | CONNACK has codes of its own only
    3.2.2-11 | SessionPublishingTests | no QoS above the server's maximum
    3.2.2-14 | SessionPublishingTests | no retained message where the server keeps none
    3.2.2-15 | OutboundAliasTests, SessionAuthenticationTests | no packet above the Maximum Packet Size of the server
    3.2.2-17 | SessionPublishingTests | no topic alias above the maximum of the server
    3.2.2-18 | SessionPublishingTests | no topic alias where the server's maximum is 0 or absent
    3.2.2-21 | KeepAliveTests | the server's keep alive counts
    3.3.2-7 | OutboundAliasTests, SessionReceivingTests | topic aliases end with their connection
    3.3.2-8 | SessionPublishingTests | no topic alias 0
    3.3.2-9 | SessionPublishingTests | no topic alias above the maximum of the server
    3.3.2-10 | SessionReceivingTests | every topic alias up to the maximum of the client is taken
    3.3.2-11 | SessionReceivingTests | no topic alias above the maximum of the client
    3.3.2-13 | WireTests | the response topic is UTF-8
    3.3.2-14 | PacketDecoderTests, SessionPublishingTests | no wildcards in a response topic
    3.3.2-19 | WireTests | the content type is UTF-8
    3.3.4-6 | SessionPublishingTests | a client's PUBLISH has no subscription identifier
    3.3.4-7 | SessionPublishingTests | no more messages under way than the Receive Maximum of the server
    3.3.4-8 | SessionPublishingOrderTests | other packets do not wait for the Receive Maximum
    3.3.4-9 | SessionReceivingTests | no more messages under way than the Receive Maximum of the client
    3.4.2-1 | ReasonCodeTests, SessionReceivingTests | PUBACK has codes of its own only
    3.4.2-2 | SessionReceivingTests | PUBACK: a reason string fits the packet size
    3.4.2-3 | SessionReceivingTests | PUBACK: user properties fit the packet size
    3.5.2-1 | ReasonCodeTests, SessionReceivingTests | PUBREC has codes of its own only
    3.5.2-2 | SessionReceivingTests | PUBREC: a reason string fits the packet size
    3.5.2-3 | SessionReceivingTests | PUBREC: user properties fit the packet size
    3.6.2-1 | ReasonCodeTests, SessionReceivingTests | PUBREL has codes of its own only
    3.6.2-2 | SessionReceivingTests | PUBREL: a reason string fits the packet size
    3.6.2-3 | SessionReceivingTests | PUBREL: user properties fit the packet size
    3.7.2-1 | ReasonCodeTests, SessionReceivingTests | PUBCOMP has codes of its own only
    3.7.2-2 | SessionReceivingTests | PUBCOMP: a reason string fits the packet size
    3.7.2-3 | SessionReceivingTests | PUBCOMP: user properties fit the packet size
    3.8.3-2 | PacketDecoderTests, SessionRefusalTests | a SUBSCRIBE has a filter
    3.8.3-4 | PacketDecoderTests, SessionRefusalTests | no No Local on a shared subscription
    3.8.4-6 | SessionSubscribingTests | SUBACK has a code for each filter
    3.8.4-7 | ReasonCodeTests | SUBACK's codes are a granted QoS or a failure
    3.10.4-5 | SessionSubscribingTests | UNSUBACK has the identifier of its UNSUBSCRIBE
    3.11.3-1 | SessionSubscribingTests | UNSUBACK's codes have the order of the filters
    3.11.3-2 | ReasonCodeTests | UNSUBACK has codes of its own only
    3.14.0-1 | SessionConnectTests | no DISCONNECT from a server before CONNACK
    3.14.1-1 | PacketDecoderTests | DISCONNECT's reserved flags are 0
    3.14.2-1 | SessionConnectTests | DISCONNECT has codes of its own only
    3.14.2-2 | SessionRefusalTests | no session expiry in a server's DISCONNECT
    3.14.2-3 | SessionConnectTests | DISCONNECT: a reason string fits the packet size
    3.14.2-4 | SessionConnectTests | DISCONNECT: user properties fit the packet size
    3.14.4-1 | SessionConnectTests | nothing is sent after DISCONNECT
    3.14.4-2 | SessionConnectTests | the connection is closed after DISCONNECT
    3.15.1-1 | PacketDecoderTests | AUTH's reserved flags are 0
    3.15.2-1 | ReasonCodeTests, SessionAuthenticationTests | AUTH has codes of its own only
    3.15.2-2 | SessionAuthenticationTests | AUTH: a reason string fits the packet size
    3.15.2-3 | SessionAuthenticationTests | AUTH: user properties fit the packet size
    4.1.0-1 | SessionPublishingOrderTests | the session's state is kept while the connection is open
    4.2.0-1 | MQTTClientBrokerTests, PresenceTests | a transport that is an ordered, lossless stream of bytes
    4.3.2-1 | SessionPublishingTests | QoS 1, sender: an unused identifier
    4.3.2-2 | SessionPublishingTests | QoS 1, sender: DUP is 0 at first
    4.3.2-3 | SessionPublishingTests, SessionResumingTests | QoS 1, sender: unacknowledged until PUBACK
    4.3.2-4 | SessionReceivingTests | QoS 1, receiver: PUBACK once it owns the message
    4.3.2-5 | SessionReceivingTests | QoS 1, receiver: after PUBACK the identifier means a new message
    4.3.3-1 | SessionPublishingTests | QoS 2, sender: an unused identifier
    4.3.3-2 | SessionPublishingTests | QoS 2, sender: DUP is 0 at first
    4.3.3-3 | SessionPublishingTests, SessionResumingTests | QoS 2, sender: unacknowledged until PUBREC
    4.3.3-4 | SessionPublishingTests | QoS 2, sender: PUBREL for a PUBREC that is no refusal
    4.3.3-5 | SessionPublishingTests, SessionResumingTests | QoS 2, sender: PUBREL is unacknowledged until PUBCOMP
    4.3.3-6 | SessionResumingTests | QoS 2, sender: no PUBLISH again after PUBREL
    4.3.3-7 | SessionResumingTests | QoS 2, sender: no expiry once PUBLISH was sent
    4.3.3-8 | SessionReceivingTests | QoS 2, receiver: PUBREC once it owns the message
    4.3.3-9 | SessionReceivingTests | QoS 2, receiver: after a PUBREC that refuses the identifier means a new message
    4.3.3-10 | SessionReceivingTests | QoS 2, receiver: until PUBREL the message is answered and not delivered again
    4.3.3-11 | SessionReceivingTests | QoS 2, receiver: PUBCOMP for PUBREL
    4.3.3-12 | SessionReceivingTests | QoS 2, receiver: after PUBCOMP the identifier means a new message
    4.3.3-13 | SessionReceivingTests | QoS 2, receiver: the answers go on after the expiry
    4.4.0-2 | SessionPublishingTests | what was refused is not sent again
    4.7.0-1 | TopicTests | no wildcards in a topic name
    4.7.1-1 | TopicTests | # is the last level alone
    4.7.1-2 | TopicTests | + is a level alone
    4.8.2-1 | TopicTests | a shared subscription is $share/ and a name
    4.8.2-2 | TopicTests | the name of a share has no / + #, and a filter follows
    4.9.0-1 | SessionPublishingTests | the send quota is not above the Receive Maximum
    4.9.0-2 | SessionPublishingTests, SessionResumingTests | no PUBLISH of QoS 1 or 2 without quota
    4.9.0-3 | SessionPublishingOrderTests | other packets are sent and answered without quota
    4.12.0-2 | SessionAuthenticationTests | a server's AUTH asks to continue
    4.12.0-3 | SessionAuthenticationTests | the client's AUTH answers with 0x18
    4.12.0-5 | SessionAuthenticationTests | AUTH and CONNACK name the method of CONNECT
    4.12.0-6 | SessionAuthenticationTests | no AUTH and no method from the server without one in CONNECT
    4.12.0-7 | SessionAuthenticationTests | no AUTH from the client without a method in CONNECT
    4.12.1-1 | SessionAuthenticationTests | authenticating again begins with AUTH 0x19 and the same method
    4.12.1-2 | SessionAuthenticationTests | authenticating again that fails ends the connection
    4.13.1-1 | SessionConnectTests | malformed packets and protocol errors end the connection
    4.13.2-1 | SessionConnectTests | a code of 0x80 or above in CONNACK or DISCONNECT ends the connection
    """

  static let v311 = """
    1.5.3-1 | SessionConnectTests, WireTests | text is well-formed UTF-8, or the connection is closed
    1.5.3-2 | WireTests | text has no U+0000, or the connection is closed
    1.5.3-3 | WireTests | U+FEFF is not stripped
    2.2.2-1 | PacketEncodingTests | reserved flags have their values
    2.2.2-2 | PacketDecoderTests | wrong flags end the connection
    2.3.1-1 | SessionPublishingTests, WireTests | an identifier is not 0
    2.3.1-2 | SessionPublishingTests, SessionSubscribingTests | a new packet has an unused identifier
    2.3.1-3 | SessionResumingTests | what is sent again keeps its identifier, which is free once it is acknowledged
    2.3.1-5 | SessionPublishingTests | QoS 0 has no packet identifier
    2.3.1-6 | SessionPublishingTests | the answers of a PUBLISH have its identifier
    2.3.1-7 | SessionSubscribingTests | SUBACK and UNSUBACK have the identifier of their request
    3.1.2-4 | SessionResumingTests | the session outlives its connection
    3.1.2-6 | SessionConnectTests | a clean session discards the session
    3.1.2-9 | ConnectTests | a will brings its fields
    3.1.2-11 | ConnectTests | no will: none of its fields
    3.1.2-13 | ConnectTests | no will: QoS 0
    3.1.2-14 | ConnectTests | a will's QoS is not 3
    3.1.2-15 | ConnectTests | no will: no retain
    3.1.2-18 | ConnectTests | no user name where its flag is 0
    3.1.2-19 | ConnectTests | a user name where its flag is 1
    3.1.2-20 | ConnectTests | no password where its flag is 0
    3.1.2-21 | ConnectTests | a password where its flag is 1
    3.1.2-22 | ConnectTests, PacketEncodingTests | no password without a user name
    3.1.2-23 | KeepAliveTests | PINGREQ where nothing else is sent for a keep alive
    3.1.3-7 | ConnectTests, ReconnectTests | a client without an identifier asks for a clean session
    3.1.3-10 | WireTests | the will's topic is UTF-8
    3.1.3-11 | WireTests | the user name is UTF-8
    3.2.2-1 | SessionConnectTests | no session present after a clean session was asked for
    3.2.2-4 | ConnectTests | no session present with a refusal
    3.2.2-5 | SessionConnectTests | a refusal ends the connection
    3.8.3-3 | PacketDecoderTests, SessionRefusalTests | a SUBSCRIBE has a filter
    3.8.4-5 | SessionSubscribingTests | SUBACK has a code for each filter
    3.10.4-4 | SessionSubscribingTests | UNSUBACK has the identifier of its UNSUBSCRIBE
    3.14.4-1 | SessionConnectTests | the connection is closed after DISCONNECT
    3.14.4-2 | SessionConnectTests | nothing is sent after DISCONNECT
    4.1.0-1 | SessionPublishingOrderTests | the session's state is kept for all of the session
    4.1.0-2 | SessionPublishingOrderTests | a session lasts as long as its connection at least
    4.3.2-1 | SessionPublishingTests | QoS 1, the sender's half
    4.3.2-2 | SessionReceivingTests | QoS 1, the receiver's half
    4.3.3-1 | SessionPublishingTests | QoS 2, the sender's half
    4.3.3-2 | SessionReceivingTests | QoS 2, the receiver's half
    4.7.1-1 | TopicTests | no wildcards in a topic name
    4.7.1-2 | TopicTests | # is the last level alone
    4.7.1-3 | TopicTests | + is a level alone
    4.8.0-1 | SessionConnectTests | what breaks the protocol ends the connection
    4.8.0-2 | SessionConnectTests | a packet that cannot be dealt with ends the connection
    7.0.0-2 | SessionConnectTests | no extension is needed
    7.1.2-1 | PresenceTests | a transport that is an ordered, lossless stream of bytes
    """

  /// For a server. The decoder keeps to them all the same, since the servers of tests use it, and so does the agent.
  static let servers = """
    3.1.3-5 | DeviceIdentityTests | an identifier of 1 to 23 letters and digits is taken
    3.1.2-2 | ConnectTests | a version that is not supported is refused with 0x84
    3.1.2-3 | ConnectTests | CONNECT's reserved flag is 0
    3.3.2-4 | SessionReceivingTests | the payload format indicator is forwarded unaltered
    3.3.2-17 | SessionReceivingTests | user properties are forwarded unaltered
    3.3.2-18 | PropertyTests | user properties keep their order
    3.8.3-5 | PacketDecoderTests | reserved subscription options are malformed
    3.8.3-4 v3.1.1 | PacketDecoderTests | reserved subscription options are malformed
    """

  /// The client behaviours that this project has adopted from the tests and probes of the field.
  static let behaviours = 1...65

  /// Behaviours without a test, and why.
  static let behavioursLeftOut: [Int: String] = [:]
}
