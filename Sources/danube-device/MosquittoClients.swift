import CMosquitto
import Glibc

/// MQTT clients of libmosquitto, all served by the thread that calls `wait`: the library's own
/// loops serve one client each.
///
/// What happens is queued as events, because the library's callbacks come in the midst of its
/// calls, where it must not be called again.
@safe
struct MosquittoClients: ~Copyable {
  /// What happened to a client; the numbers of clients are from 0.
  enum Event: Equatable {
    case connected(Int)
    /// The server let it not in; the text says why.
    case rejected(Int, String)
    /// The answer to a message: a reason code below 0x80 is a success. At QoS 0 it means that the
    /// message was written.
    case published(Int, messageID: Int32, reason: Int32)
    /// The connection has ended, or could not be made.
    case disconnected(Int, String)
  }

  /// What became of a message that was handed to the library.
  enum Publication: Equatable {
    /// It has it, and sends it again after a new connection if it must.
    case taken(messageID: Int32)
    /// It never will be sent.
    case refused(String)
  }

  /// What the callbacks of a client are given.
  @unsafe private struct Context {
    let client: Int
    let isVersion5: Bool
    let events: UnsafeMutablePointer<[Event]>
  }

  private let server: ServerOptions
  private var handles: [OpaquePointer] = unsafe []
  private let contexts: UnsafeMutablePointer<Context>
  private let events: UnsafeMutablePointer<[Event]>
  /// One for each client with a socket, and below it the client's number.
  private var polled: [pollfd] = []
  private var polledClients: [Int] = []

  /// Makes clients of these identifiers; none connects yet.
  init(clientIDs: [String], server: ServerOptions) throws(DeviceError) {
    self.server = server
    mosquitto_lib_init()
    unsafe events = .allocate(capacity: 1)
    unsafe events.initialize(to: [])
    unsafe contexts = .allocate(capacity: max(1, clientIDs.count))
    for (client, clientID) in clientIDs.enumerated() {
      let context = unsafe contexts + client
      unsafe context.initialize(
        to: Context(client: client, isVersion5: server.isVersion5, events: events))
      // Without an identifier the library asks for a clean session and the server makes one up.
      guard let handle = unsafe mosquitto_new(clientID.isEmpty ? nil : clientID, true, context)
      else {
        throw DeviceError(
          message: "libmosquitto takes no client \(clientID)", exitCode: ExitCode.unavailable)
      }
      unsafe handles.append(handle)
      unsafe Self.setUp(handle, server)
    }
  }

  deinit {
    for client in unsafe handles.indices { unsafe mosquitto_destroy(handles[client]) }
    unsafe contexts.deallocate()
    unsafe events.deinitialize(count: 1)
    unsafe events.deallocate()
    mosquitto_lib_cleanup()
  }

  private static func setUp(_ handle: OpaquePointer, _ server: ServerOptions) {
    let version = server.isVersion5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311
    unsafe mosquitto_int_option(handle, MOSQ_OPT_PROTOCOL_VERSION, Int32(version))
    unsafe mosquitto_int_option(handle, MOSQ_OPT_SEND_MAXIMUM, Int32(server.inFlight))
    unsafe mosquitto_int_option(handle, MOSQ_OPT_TCP_NODELAY, 1)
    unsafe mosquitto_connect_callback_set(handle) { _, user, code in
      guard let context = unsafe user?.assumingMemoryBound(to: Context.self).pointee else { return }
      unsafe context.events.pointee.append(
        code == 0
          ? .connected(context.client)
          : .rejected(
            context.client,
            MosquittoClients.connectText(code, isVersion5: context.isVersion5)))
    }
    unsafe mosquitto_disconnect_callback_set(handle) { _, user, code in
      guard let context = unsafe user?.assumingMemoryBound(to: Context.self).pointee else { return }
      unsafe context.events.pointee.append(
        .disconnected(context.client, MosquittoClients.errorText(code)))
    }
    unsafe mosquitto_publish_v5_callback_set(handle) { _, user, messageID, reason, _ in
      guard let context = unsafe user?.assumingMemoryBound(to: Context.self).pointee else { return }
      unsafe context.events.pointee.append(
        .published(context.client, messageID: messageID, reason: reason))
    }
  }

  // MARK: Texts

  /// The name of an MQTT 5 reason code.
  static func reasonText(_ code: Int32) -> String {
    unsafe mosquitto_reason_string(code).map { unsafe String(cString: $0) } ?? "reason \(code)"
  }

  private static func connectText(_ code: Int32, isVersion5: Bool) -> String {
    if isVersion5 { return reasonText(code) }
    return unsafe mosquitto_connack_string(code).map { unsafe String(cString: $0) }
      ?? "return code \(code)"
  }

  private static func errorText(_ code: Int32) -> String {
    if code == Int32(CMOSQUITTO_SYSTEM_ERROR) {
      return unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "errno \(errno)"
    }
    return unsafe mosquitto_strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
  }

  // MARK: Connections and messages

  /// Begins to connect a client; an event tells the outcome. Names are looked up at once.
  mutating func connect(_ client: Int) {
    let handle = unsafe handles[client]
    note(client, unsafe mosquitto_connect_async(handle, server.host, Int32(server.port), 30))
  }

  /// Says goodbye to the server.
  mutating func disconnect(_ client: Int) {
    // It matters to nobody any more when it fails: the process ends.
    _ = unsafe mosquitto_disconnect(handles[client])
  }

  /// Hands a message of a connected client to the library.
  mutating func publish(
    _ client: Int, topic: String, payload: [UInt8], qos: Int, isRetained: Bool = false,
    properties: PublishProperties = PublishProperties()
  ) -> Publication {
    var messageID: Int32 = 0
    var list: OpaquePointer? = nil
    guard unsafe Self.add(properties, to: &list) else {
      unsafe mosquitto_property_free_all(&list)
      return .refused("a property cannot be sent")
    }
    let code = unsafe payload.withUnsafeBytes { bytes in
      unsafe mosquitto_publish_v5(
        handles[client], &messageID, topic, Int32(bytes.count), bytes.baseAddress, Int32(qos),
        isRetained, list)
    }
    unsafe mosquitto_property_free_all(&list)
    switch code {
    case Int32(CMOSQUITTO_SUCCESS): return .taken(messageID: messageID)
    case Int32(CMOSQUITTO_NO_CONNECTION), Int32(CMOSQUITTO_CONNECTION_LOST),
      Int32(CMOSQUITTO_SYSTEM_ERROR):
      note(client, code)
      // Above QoS 0 the library has queued the message before it wrote, and it sends it again.
      return qos > 0 ? .taken(messageID: messageID) : .refused(Self.errorText(code))
    default: return .refused(Self.errorText(code))
    }
  }

  private static func add(
    _ properties: PublishProperties, to list: inout OpaquePointer?
  ) -> Bool {
    var codes: [Int32] = []
    if let seconds = properties.expirySeconds {
      let identifier = Int32(MQTT_PROP_MESSAGE_EXPIRY_INTERVAL.rawValue)
      codes.append(
        unsafe mosquitto_property_add_int32(&list, identifier, UInt32(clamping: seconds)))
    }
    if let type = properties.contentType {
      let identifier = Int32(MQTT_PROP_CONTENT_TYPE.rawValue)
      codes.append(unsafe mosquitto_property_add_string(&list, identifier, type))
    }
    if let topic = properties.responseTopic {
      let identifier = Int32(MQTT_PROP_RESPONSE_TOPIC.rawValue)
      codes.append(unsafe mosquitto_property_add_string(&list, identifier, topic))
    }
    if let data = properties.correlationData {
      let identifier = Int32(MQTT_PROP_CORRELATION_DATA.rawValue)
      codes.append(
        unsafe mosquitto_property_add_binary(
          &list, identifier, data, UInt16(clamping: data.utf8.count)))
    }
    for pair in properties.user {
      let identifier = Int32(MQTT_PROP_USER_PROPERTY.rawValue)
      codes.append(
        unsafe mosquitto_property_add_string_pair(&list, identifier, pair.name, pair.value))
    }
    return codes.allSatisfy { $0 == Int32(CMOSQUITTO_SUCCESS) }
  }

  /// A call that ended a connection: the library does not always call back for it.
  private mutating func note(_ client: Int, _ code: Int32) {
    guard code != Int32(CMOSQUITTO_SUCCESS) else { return }
    unsafe events.pointee.append(.disconnected(client, Self.errorText(code)))
  }

  // MARK: The loop

  /// Waits until a connection has something to do, a signal comes or the time is over, and does it.
  mutating func wait(nanoseconds: UInt64) {
    polled.removeAll(keepingCapacity: true)
    polledClients.removeAll(keepingCapacity: true)
    for client in unsafe handles.indices {
      let handle = unsafe handles[client]
      let descriptor = unsafe mosquitto_socket(handle)
      guard descriptor >= 0 else { continue }
      let wanted = unsafe mosquitto_want_write(handle) ? POLLIN | POLLOUT : POLLIN
      polled.append(pollfd(fd: descriptor, events: Int16(wanted), revents: 0))
      polledClients.append(client)
    }
    var time = timespec(
      tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    guard unsafe cmosquitto_wait(&polled, polled.count, &time) > 0 else { return }
    for (entry, client) in zip(polled, polledClients) where entry.revents != 0 {
      let handle = unsafe handles[client]
      // What came is read before an error of writing ends the connection: it may be an answer.
      if entry.revents & Int16(POLLIN | POLLERR | POLLHUP) != 0 {
        note(client, unsafe mosquitto_loop_read(handle, 1))
      }
      if entry.revents & Int16(POLLOUT) != 0, unsafe mosquitto_socket(handle) >= 0 {
        note(client, unsafe mosquitto_loop_write(handle, 1))
      }
    }
  }

  /// Keeps connections alive: to be called about once a second.
  mutating func tend() {
    for client in unsafe handles.indices {
      let handle = unsafe handles[client]
      if unsafe mosquitto_socket(handle) >= 0 { note(client, unsafe mosquitto_loop_misc(handle)) }
    }
  }

  /// What has happened since the last call.
  mutating func takeEvents() -> [Event] {
    defer { unsafe events.pointee.removeAll(keepingCapacity: true) }
    return unsafe events.pointee
  }
}
