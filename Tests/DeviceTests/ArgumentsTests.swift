import Testing

@testable import danube_device

@Suite("The command line of danube-device")
struct ArgumentsTests {
  private func parse(_ line: String) throws(ArgumentError) -> Command {
    try Arguments.parse(line.split(separator: " ").map(String.init))
  }

  @Test("A run has the defaults of the usage text, and its options in either spelling")
  func run() throws {
    let topic = try DeviceTemplate("sensors/{device}/t")
    #expect(
      try parse("run --topic sensors/{device}/t") == .run(RunOptions(door: .mqtt(topic: topic))))

    var options = RunOptions(door: .mqtt(topic: topic))
    options.server = ServerOptions(host: "broker", port: 1884, isVersion5: true, inFlight: 7)
    options.workload = WorkloadOptions(
      devices: 50, rate: 1000, messages: 2500, lateMilliseconds: 20, waitMilliseconds: 30)
    options.qos = 0
    options.payloadByteCount = 300
    options.namePrefix = "hall_2"
    options.manifest = "-"
    options.printsJSON = true
    options.isQuiet = true
    let line =
      "run --topic=sensors/{device}/t --host broker --port=1884 --v5 --in-flight 7 --devices 50 "
      + "--rate 1000 --seconds 2.5 --late-ms 20 --wait-ms 30 --qos 0 --payload-bytes 300 "
      + "--name hall_2 --manifest - --json --quiet"
    #expect(try parse(line) == .run(options))
    #expect(options.name(of: 0) == "hall_2-1")
  }

  @Test("A run ends after a number of messages or of seconds")
  func length() throws {
    func messages(_ line: String) throws -> Int? {
      guard case .run(let options) = try parse("run --topic t " + line) else { return nil }
      return options.workload.messages
    }
    #expect(try messages("--count 7") == 7)
    #expect(try messages("--rate 0.5 --seconds 4") == 2)
    #expect(try messages("--rate 0.5 --seconds 0.1") == 1)
  }

  @Test("Webhooks have a URL and headers")
  func webhook() throws {
    var options = RunOptions(door: .webhook(url: try DeviceTemplate("http://h/{number}")))
    options.headers = ["X-A:1", "X-B:2"]
    #expect(
      try parse("run --webhook http://h/{number} --header X-A:1 --header X-B:2") == .run(options))
  }

  @Test("One publish has one payload, and properties by MQTT 5")
  func publish() throws {
    var options = PublishOptions()
    options.topic = "a/b"
    options.payload = .text("21.5")
    #expect(try parse("publish --topic a/b --message 21.5") == .publish(options))
    options.payload = .standardInput
    #expect(try parse("publish --topic a/b -") == .publish(options))
    options.payload = .file("reading")
    options.qos = 2
    options.isRetained = true
    options.clientID = "me"
    options.waitMilliseconds = 5
    options.server.isVersion5 = true
    options.properties = PublishProperties(
      user: [.init(name: "unit", value: "C=1"), .init(name: "x", value: "")],
      contentType: "text/plain", responseTopic: "r", correlationData: "c", expirySeconds: 60)
    let line =
      "publish --topic a/b --file reading --qos 2 --retain --client-id me --wait-ms 5 --v5 "
      + "--user-property unit=C=1 --user-property x= --content-type text/plain "
      + "--response-topic r --correlation-data c --expiry-s 60"
    #expect(try parse(line) == .publish(options))
  }

  @Test("Verify takes several files on each side")
  func verify() throws {
    let options = VerifyOptions(
      manifests: ["a", "b"], received: ["c"], allowsDuplicates: true, isOrdered: true,
      printsJSON: true)
    #expect(
      try parse(
        "verify --manifest a --manifest b --received c --allow-duplicates --ordered --json")
        == .verify(options))
  }

  @Test("Help is help", arguments: ["help", "-h", "--help", "run --help", "verify -h"])
  func help(line: String) throws {
    #expect(try parse(line) == .help)
  }

  @Test(
    "What cannot be followed names the culprit",
    arguments: [
      ("", "command is missing"), ("serve", "serve"), ("run", "--topic"),
      ("run --topic a --webhook http://h/", "one of"), ("run --topic a --devises 5", "--devises"),
      ("run --topic a --devices 0", "--devices"), ("run --topic a --rate 0", "--rate"),
      ("run --topic a --rate nan", "--rate"), ("run --topic a --rate inf", "--rate"),
      ("run --topic a --seconds -1", "--seconds"), ("run --topic a --qos 3", "--qos"),
      ("run --topic a --count 5 --seconds 5", "--count"), ("run --topic", "--topic"),
      ("run --topic a{b}", "{b}"), ("run --topic a{device", "}"), ("run --topic a}", "{"),
      ("run --topic a --json=yes", "--json"), ("run --topic a more", "more"),
      ("run --topic a -q", "-q"), ("run --topic a --name a/b", "--name"),
      ("run --topic a --name küche", "--name"), ("run --topic a --header X:1", "--header"),
      ("run --topic a --rate 0.001 --count 1000000000", "seconds"),
      ("run --webhook https://h/", "http://"), ("run --webhook http://h/ --qos 1", "--qos"),
      ("publish --message x", "--topic"), ("publish --topic a", "--message"),
      ("publish --topic a --message x -", "one of"), ("publish --topic a b", "b"),
      ("publish --topic a - --content-type x", "--v5"),
      ("publish --topic a - --v5 --user-property x", "--user-property"),
      ("verify --manifest a", "--received"), ("verify --received a", "--manifest"),
    ])
  func wrong(line: String, culprit: String) throws {
    let error = #expect(throws: ArgumentError.self) { try parse(line) }
    #expect(error?.message.contains(culprit) == true, "\(error?.message ?? "")")
  }

  @Test("Every option that is read is in the usage text")
  func usage() {
    for name in ["publish", "run", "verify", "--webhook", "--late-ms", "--allow-duplicates"] {
      #expect(Arguments.usage.contains(name))
    }
  }

  @Test(
    "A template is filled for each device",
    arguments: [
      ("plain", "plain"), ("a/{device}/b", "a/hall-3/b"), ("{number}{number}", "33"),
      ("{{{device}}}", "{hall-3}"), ("", ""),
    ])
  func template(text: String, filled: String) throws {
    #expect(try DeviceTemplate(text).filled(device: "hall-3", number: 2) == filled)
  }
}
