import DanubeProtocol
import GRPC
import IOPort
import Simulator

// What happens to brokers, topics and connections.
extension BrokerFailure {
  static let connections: [BrokerFailure] = [
    BrokerFailure("a restart within no time: ids are forgotten", .recreate) {
      $0.reach = .broker
      $0.endsItself = true
      $0.looksUp = true
      $0.strike = {
        $0.broker.closeConnections()
        $0.broker.forgetProducers()
      }
    },
    BrokerFailure("ids are forgotten, connections live", .recreate) {
      $0.reach = .broker
      $0.endsItself = true
      $0.looksUp = true
      $0.strike = { $0.broker.forgetProducers() }
    },
    BrokerFailure("a broker that is away for a while", .wait, says: "refused") {
      $0.reach = .broker
      $0.strike = { $0.broker.goDown() }
      $0.heal = { try $0.broker.comeUp() }
    },
    BrokerFailure("connections that end at once", .wait, says: "connection") {
      $0.reach = .broker
      $0.strike = {
        $0.broker.onConnection = { .close }
        $0.broker.closeConnections()
      }
    },
    BrokerFailure("GOAWAY", .resend) {
      $0.reach = .broker
      $0.endsItself = true
      $0.strike = { stage in
        // In the middle of the messages to come.
        var count = 0
        stage.broker.onMessage = { _ in
          count += 1
          if count % 10 == 0 { stage.broker.goAway() }
          return .init(.ok, delayMilliseconds: 5)
        }
      }
    },
    BrokerFailure("GOAWAY on every connection", .wait) {
      $0.reach = .broker
      $0.strike = {
        $0.broker.onConnection = { .goAway }
        $0.broker.goAway()
      }
    },
    BrokerFailure("a half-open connection", .resend, says: "no sign of life") {
      $0.reach = .broker
      $0.strike = { $0.broker.deafenConnections() }
    },
    BrokerFailure("a broker that takes connections and says nothing", .wait, says: "no answer") {
      $0.reach = .broker
      $0.strike = {
        $0.broker.onConnection = { .silence }
        $0.broker.closeConnections()
      }
      $0.heal = {
        $0.heal()
        $0.broker.closeConnections()
      }
    },
    BrokerFailure("one call at a time", .resend) {
      $0.reach = .broker
      $0.endsItself = true
      $0.prepare = {
        $0.broker.sessionOptions.maximumConcurrentCalls = 1
        $0.broker.onMessage = { _ in .init(.ok, delayMilliseconds: 3) }
      }
      $0.check = { $0.broker.peakInFlight > 1 ? ["more than one call at a time"] : [] }
    },
    BrokerFailure("windows smaller than a record", .resend) {
      $0.reach = .broker
      $0.endsItself = true
      $0.payloadBytes = 150_000
      $0.count = 6
      $0.prepare = {
        $0.broker.sessionOptions.initialStreamWindowBytes = 65_535
        $0.broker.sessionOptions.connectionWindowBytes = 65_535
      }
    },
  ]

  static let owners: [BrokerFailure] = [
    BrokerFailure("a topic that is being drained", .lookUpAgain, says: "draining or closed") {
      $0.looksUp = true
      $0.strike = { stage in
        stage.failMessages(.permissionDenied, "topic draining or closed; retry lookup")
        stage.answerLookups(.fail(.notFound, "not assigned"))
        stage.answerCreates(
          .fail(.permissionDenied, "topic draining or closed", createsTopic: false))
      }
    },
    BrokerFailure("a topic that was moved", .lookUpAgain) {
      $0.endsItself = true
      $0.looksUp = true
      $0.strike = {
        $0.failMessages(.permissionDenied, "topic draining or closed; retry lookup")
        $0.redirect()
      }
      $0.check = { $0.other.accepted.isEmpty ? ["the new owner has nothing"] : [] }
    },
    BrokerFailure("a look-up that redirects", .lookUpAgain) {
      $0.endsItself = true
      $0.startsHealthy = false
      $0.prepare = { $0.redirect() }
      $0.check = { $0.other.accepted.isEmpty ? ["the owner has nothing"] : [] }
    },
    BrokerFailure("an owner that is away", .lookUpAgain, says: "refused") {
      $0.startsHealthy = false
      $0.prepare = {
        $0.redirect()
        $0.other.goDown()
      }
      $0.heal = { try $0.other.comeUp() }
      $0.check = { $0.other.accepted.isEmpty ? ["the owner has nothing"] : [] }
    },
    BrokerFailure("an owner that is not the owner", .lookUpAgain, says: "served by another") {
      $0.startsHealthy = false
      $0.prepare = {
        $0.redirect()
        $0.other.onCreate = { _, _ in
          .fail(.unavailable, "served by another broker, redo the Lookup", createsTopic: false)
        }
      }
    },
    BrokerFailure("an owner without an address", .lookUpAgain, says: "no address for") {
      $0.startsHealthy = false
      $0.prepare = {
        let url = "http://owner.invalid:6650"
        $0.answerLookups(.at(connectURL: url, brokerURL: url, type: .redirect))
      }
    },
    BrokerFailure("a look-up that says Failed", .recreate) {
      $0.endsItself = true
      $0.startsHealthy = false
      $0.prepare = { $0.answerLookups(.at(connectURL: "", brokerURL: "", type: .failed)) }
    },
    BrokerFailure("an owner behind a proxy", .lookUpAgain) {
      $0.endsItself = true
      $0.startsHealthy = false
      $0.prepare = {
        $0.answerLookups(
          .at(
            connectURL: $0.broker.advertisedURL, brokerURL: "http://inside:6650", type: .redirect))
      }
      $0.check = { stage in
        let isNamed = stage.broker.accepted.allSatisfy {
          $0.topic != FailureStage.topic || $0.brokerAddress == "http://inside:6650"
        }
        return isNamed ? [] : ["the owner is not named"]
      }
    },
    BrokerFailure("an advertised 0.0.0.0", .lookUpAgain) {
      $0.endsItself = true
      $0.startsHealthy = false
      $0.prepare = {
        let url = "http://0.0.0.0:\($0.broker.address.port)"
        $0.answerLookups(.at(connectURL: url, brokerURL: url, type: .connect))
      }
    },
    BrokerFailure("a topic that is assigned late", .lookUpAgain, says: "redo the lookup") {
      $0.startsHealthy = false
      $0.prepare = {
        $0.answerLookups(.fail(.notFound, "not found"))
        $0.answerCreates(
          .fail(
            .unavailable, "metadata was created, need to redo the lookup", createsTopic: false))
      }
    },
  ]

  static let answers: [BrokerFailure] = [
    BrokerFailure("slow answers", .resend) {
      $0.endsItself = true
      $0.looksUp = false
      $0.strike = { $0.answerFirst(10, .init(.ok, delayMilliseconds: 250)) }
    },
    BrokerFailure("answers slower than the deadline", .resend) {
      $0.endsItself = true
      $0.looksUp = false
      $0.mayRepeat = 3
      $0.strike = { $0.answerFirst(3, .init(.ok, delayMilliseconds: 1_500)) }
    },
    BrokerFailure("answers lost after acceptance", .resend) {
      $0.endsItself = true
      $0.looksUp = false
      $0.mayRepeat = 3
      $0.strike = { $0.answerFirst(3, .init(.never(isAccepted: true))) }
    },
    BrokerFailure("connections lost after acceptance", .resend) {
      $0.reach = .broker
      $0.endsItself = true
      // Answers to what else was in flight may be lost with the connection.
      $0.mayRepeat = 2 * 7
      $0.strike = { $0.answerFirst(2, .init(.closeConnection(isAccepted: true))) }
    },
    BrokerFailure(
      "a consumer that blocks the topic's producers", .wait,
      says: "\"error\":\"SendMessage DEADLINE_EXCEEDED: no answer in time\""
    ) {
      $0.looksUp = false
      $0.strike = { $0.answerMessages(.init(.never(isAccepted: false))) }
    },
    BrokerFailure(
      "one key that is never taken, beside others that are", .lookUpAgain,
      says: "\"error\":\"SendMessage NOT_FOUND: no such producer\""
    ) {
      $0.looksUp = true
      $0.strike = {
        $0.broker.onMessage = { message in
          message.key == Array("k1".utf8)
            ? .init(.fail(.notFound, "no such producer")) : .init(.ok, delayMilliseconds: 1)
        }
      }
    },
  ]
}
