// What goes over the wire and what a session is belong to whoever uses a client.
@_exported import MQTTCore
