import Admin
import IOPort
import Spool

// Questions about the spool: asked of the delivery loop, answered when that has answered.
extension MainLoop where Port: ~Copyable {
  /// Questions that may wait for the delivery loop.
  private static var questionLimit: Int { 16 }

  mutating func askSpool(_ request: AdminRequest) {
    guard let question = question(of: request) else {
      let message =
        request.endpoint == .spoolReplay
        ? "the body is not lane=TOPIC&from=N, or with &subscription=NAME"
        : "the body is not lane=TOPIC, or lane=TOPIC&before=N, or with &dry_run=1"
      return refuse(request, statusCode: 400, message)
    }
    guard spoolRequests.count < Self.questionLimit else {
      return refuse(request, statusCode: 503, "the delivery loop does not answer")
    }
    spoolRequests[gateway.spoolDesk.ask(question)] = request
    wakeLoops()
  }

  private func question(of request: AdminRequest) -> SpoolDesk.Question? {
    if request.endpoint == .spool { return .listing }
    guard var values = FormBody.values(in: admin.body(of: request.connection)),
      let lane = values.removeValue(forKey: "lane"), !lane.isEmpty
    else { return nil }
    let topic = Array(lane.utf8)
    if request.endpoint == .spoolReplay {
      let reader = values.removeValue(forKey: "subscription") ?? ""
      guard let from = values.removeValue(forKey: "from").flatMap({ UInt64($0) }), values.isEmpty
      else { return nil }
      return .replay(topic: topic, reader: Array(reader.utf8), from: from)
    }
    var end: UInt64?
    if let before = values.removeValue(forKey: "before") {
      // A number that is none must not become everything.
      guard let number = UInt64(before) else { return nil }
      end = number
    }
    let isTrial = values.removeValue(forKey: "dry_run")
    guard values.isEmpty, isTrial == nil || isTrial == "1" else { return nil }
    return .drop(topic: topic, before: end, isTrial: isTrial != nil)
  }

  /// Answers what the delivery loop has answered.
  mutating func answerSpoolRequests() {
    if spoolRequests.isEmpty { return }
    for (number, answer) in gateway.spoolDesk.takeAnswers() {
      guard let request = spoolRequests.removeValue(forKey: number) else { continue }
      switch answer {
      case .noSpool: refuse(request, statusCode: 409, Self.noSpool)
      case .listing(let listing):
        let now = clock.unixMilliseconds
        if request.wantsText {
          respond(
            request, statusCode: 200, type: AdminContentType.text,
            Array(SpoolListingText.tables(listing, at: now).utf8))
        } else {
          respond(
            request, statusCode: 200, type: AdminContentType.json,
            SpoolListingText.json(listing, at: now))
        }
      case .changed(let change): tell(change, request)
      case .unsaved(_, let error):
        refuse(request, statusCode: 503, SpoolChangeText.unsaved(error))
      case .failed(let error):
        let lane = FormBody.values(in: admin.body(of: request.connection))?["lane"] ?? ""
        refuse(request, statusCode: 409, SpoolChangeText.problem(error, lane: lane))
      }
    }
  }

  private static var noSpool: String {
    "this gateway has no spool that is in use: records wait in memory, or it is still starting"
  }

  private mutating func tell(_ change: SpoolChange, _ request: AdminRequest) {
    let values = FormBody.values(in: admin.body(of: request.connection)) ?? [:]
    let lane = values["lane"] ?? ""
    let isTrial = values["dry_run"] != nil
    guard !request.wantsText else {
      let text =
        isTrial
        ? SpoolChangeText.question(change, lane: lane)
        : SpoolChangeText.done(change, isReplay: request.endpoint == .spoolReplay, lane: lane)
      return respond(
        request, statusCode: 200, type: AdminContentType.text, Array(text.utf8))
    }
    var text = JSONText()
    text.beginObject()
    text.member("lane", lane)
    text.member("records", change.records)
    text.member("undelivered", change.undelivered)
    text.member("first_sequence", change.first)
    text.member("is_done", !isTrial)
    if change.isParked { text.member("is_parked", true) }
    if change.unreadFiles > 0 { text.member("unread_files", UInt64(change.unreadFiles)) }
    text.endObject()
    respond(request, statusCode: 200, type: AdminContentType.json, text.bytes)
  }

  private mutating func refuse(
    _ request: AdminRequest, statusCode: UInt16, _ message: String
  ) {
    if request.wantsText {
      return respond(
        request, statusCode: statusCode, type: AdminContentType.text, Array(message.utf8))
    }
    var text = JSONText()
    text.beginObject()
    text.member("error", statusCode)
    text.member("message", message)
    text.endObject()
    respond(request, statusCode: statusCode, type: AdminContentType.json, text.bytes)
  }
}
