import Bytes
import DanubeProtocol
import Testing

@Suite("Names, paths and statuses")
struct NamesTests {
  @Test(
    "A topic is /namespace/topic of letters, digits, _ and -",
    arguments: [
      ("/default/temperature", true), ("/a/b", true), ("/A-1_/z-part-0", true), ("", false),
      ("/", false), ("//", false), ("/a", false), ("/a/", false), ("//t", false), ("a/b", false),
      ("x/ns/t", false), ("/a/b/c", false), ("/a/b/", false), ("/a/b.c", false), ("/a/b c", false),
      ("/a/ü", false), ("/a/b\n", false), ("/a/b\0", false),
    ])
  func topicNames(_ name: String, _ isValid: Bool) {
    #expect(TopicName.isValid(utf8(name)) == isValid)
  }

  @Test("The namespace lies between the slashes")
  func namespaces() {
    #expect(Array(TopicName.namespace(of: utf8("/default/t"))) == utf8("default"))
  }

  @Test(
    "A partition is its base, -part- and digits",
    arguments: [
      ("/default/t-part-0", "/default/t"), ("/default/t-part-12", "/default/t"),
      ("/default/t-part-", nil), ("/default/t-part-x1", nil), ("/default/t", nil),
      ("/default/t1", nil), ("-part-1", nil), ("", nil), ("/d/t-part-1-part-2", "/d/t-part-1"),
    ] as [(String, String?)])
  func partitions(_ name: String, _ base: String?) {
    #expect(TopicName.partitionBase(of: utf8(name)).map(Array.init) == base.map(utf8))
  }

  @Test("Each method is found by its path, and nothing by another one")
  func paths() {
    for method in DanubeMethod.allCases {
      #expect(DanubeMethod(path: utf8("\(method.path)").rawBytes) == method)
      #expect(DanubeMethod(path: utf8("\(method.path)x").rawBytes) == nil)
    }
    #expect(DanubeMethod(path: utf8("/danube.Discovery/topiclookup").rawBytes) == nil)
    #expect(DanubeMethod(path: [UInt8]().rawBytes) == nil)
  }

  @Test(
    "A status of SendMessage tells what to do next",
    arguments: [
      (3, "bad name", PublishStatus.invalidRequest),
      (5, "producer not found", .createAgain),
      (7, "Topic is Draining or closed; retry lookup/moved", .lookUpAgain),
      (7, "topic /default/t not found", .lookUpAgain),
      (7, "Schema validation failed: not found", .invalidPayload),
      (7, "no role", .configuration), (7, "", .configuration),
      (9, "strategy", .configuration), (11, "too large", .tooLarge),
      (14, "served by another broker", .lookUpAgain), (16, "token", .configuration),
      (4, "", .retry), (8, "", .retry), (13, "", .retry), (2, "", .retry), (1, "", .retry),
    ] as [(UInt8, String, PublishStatus)])
  func sendStatus(_ code: UInt8, _ text: String, _ meaning: PublishStatus) {
    #expect(PublishStatus(send: code, text: utf8(text).rawBytes) == meaning)
  }

  @Test("A missing topic or owner at creation is looked up again; a mismatch is the operator's")
  func createStatus() {
    #expect(PublishStatus(create: 14) == .lookUpAgain)
    #expect(PublishStatus(create: 5) == .lookUpAgain)
    #expect(PublishStatus(create: 9) == .configuration)
    #expect(PublishStatus(create: 13) == .retry)
  }

  @Test("The size of a varint is the number of bytes it takes")
  func varintSizes() throws {
    for shift in 0..<64 {
      for value in [UInt64(1) << shift, UInt64(1) << shift - 1, ~0 >> UInt64(shift)] {
        let bytes = encoded { $0.appendVarint(value) }
        #expect(bytes.count == Protobuf.varintSize(value))
        var reader = ProtobufReader(bytes.rawBytes)
        #expect(try reader.readVarint() == value)
      }
    }
  }
}
