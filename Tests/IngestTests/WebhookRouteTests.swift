import IOPort
import Metrics
import Records
import Settings
import Testing

@testable import Ingest

@Suite("Webhooks and their routes", .timeLimit(.minutes(1)))
struct WebhookRouteTests {
  private func route(
    _ path: String, _ topic: String, key: String? = nil,
    attributes: [(name: String, template: String)] = [],
    _ change: (inout RouteConfiguration) -> Void = { _ in }
  ) throws -> RouteConfiguration {
    var route = try RouteConfiguration(
      webhook: path, to: topic, key: key, attributes: attributes)
    change(&route)
    return route
  }

  @Test("Templates take from path, query and header")
  func templates() throws {
    let bench = try IngestBench.webhooks(routes: [
      try route(
        "/in/{site}/{rest...}", "/default/{path.site}", key: "{path.rest}|{query.id}",
        attributes: [("event", "{header.x-event}"), ("where", "{topic}")])
    ])
    let client = bench.accept()
    bench.send(
      client,
      post("/in/caf%C3%A9%202/a%2fb/c?x=1&id=7%2b8", "p", fields: ["X-EVENT: push", "x-event: 2"]))
    let batch = try #require(bench.takeBatch())
    let fields = sortedFields(bench.store.body(batch, 0))
    #expect(fields.contains(field(10, "a/b/c|7+8")))
    #expect(fields.contains(attribute("event", "push")))
    #expect(fields.contains(attribute("where", "/in/caf%C3%A9%202/a%2fb/c")))
    #expect(fields.contains(field(2, field(2, "/default/caf___2"))))
    bench.tell(Progress(batch: batch, kind: .complete))
    #expect(
      bench.answers(client).map(\.body)
        == ["{\"status\":\"accepted\",\"topic\":\"/default/caf___2\"}\n"])
  }

  @Test("A route that answers at once does so, behind what is owed, and only once")
  func received() throws {
    let bench = try IngestBench.webhooks(routes: [
      try route("/now", "/default/now") { $0.acknowledgement = .received }
    ])
    let client = bench.accept()
    bench.send(client, post("/now", "1"))
    #expect(bench.statuses(client) == [202])
    bench.send(client, post("/hooks/a", "2") + post("/now", "3"))
    #expect(bench.statuses(client).isEmpty)
    #expect(bench.takePayloads().sorted() == ["1", "2", "3"])
    #expect(bench.statuses(client) == [202, 202])
  }

  @Test("What makes no topic is refused, and too many topics are")
  func refusedTopics() throws {
    let bench = try IngestBench.webhooks(
      routes: [
        try route("/strict/{name}", "/default/s-{path.name}") { $0.topicValues = .refuse },
        try route("/query", "/default/q-{query.name}"),
      ], maxTopics: 3)
    let client = bench.accept()
    let cases = [
      ("/strict/a%20b", 422, "invalid_topic"), ("/query", 422, "invalid_topic"),
      ("/strict/one", 202, ""), ("/query?name=two", 503, "too_many_topics"),
      ("/strict/one", 202, ""),
    ]
    for (path, status, word) in cases {
      bench.send(client, post(path, "x"))
      _ = bench.takePayloads()
      let answers = bench.answers(client)
      #expect(answers.map(\.status) == [status], "\(path)")
      #expect(answers[0].body.contains(word) && !answers[0].closes)
      #expect((answers[0].fields["Retry-After"] != nil) == (status == 503))
    }
  }

  @Test("One connection posts to several lanes, and is answered in its order")
  func lanes() throws {
    let bench = try IngestBench.webhooks(routes: [try route("/x/{name}", "/default/{path.name}")])
    let client = bench.accept()
    let names = ["a", "b", "c", "a", "b", "c"]
    bench.send(client, names.map { post("/x/\($0)", $0) }.joined())
    var batches: [BatchID] = []
    while let batch = bench.takeBatch() { batches.append(batch) }
    #expect(batches.count == 3)
    // The last lane is safe first.
    for batch in batches.dropFirst().reversed() {
      bench.tell(Progress(batch: batch, kind: .complete))
      #expect(bench.answers(client).isEmpty)
    }
    bench.tell(Progress(batch: batches[0], kind: .complete))
    let topics = bench.answers(client).map { $0.body.split(separator: "\"").dropLast().last ?? "" }
    #expect(topics == names.map { "/default/\($0)" })
  }
}
