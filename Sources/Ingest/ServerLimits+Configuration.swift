import MQTT
import Settings

extension ServerLimits {
  /// What a listener's configuration allows its clients.
  init(configuration: ListenerConfiguration) {
    self.init()
    maximumPacketBytes = configuration.maxPacketBytes
    receiveMaximum = UInt16(clamping: configuration.receiveMaximum)
    topicAliasMaximum = UInt16(clamping: configuration.topicAliasMaximum)
    topicAliasBytes = (16 << 10) + configuration.topicAliasMaximum * 256
    maximumKeepAliveSeconds = UInt16(clamping: configuration.maxKeepAliveSeconds)
  }
}

extension ListenerConfiguration {
  /// How many answers one connection may be owed.
  var answerLimit: Int {
    switch kind {
    case .mqtt: receiveMaximum
    case .webhook: maxPipelined
    }
  }
}
