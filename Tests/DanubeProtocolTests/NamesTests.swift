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

  @Test(
    "What calls carry of a broker behind a proxy can stand in a field",
    arguments: [
      ("http://b:6650", true), ("", true), ("http://b:6650\r\nx-danube-internal-broker: b", false),
      ("http://b b", false), ("http://b\u{0}", false), ("http://\u{fc}", false),
      (String(repeating: "b", count: 2_049), false),
    ])
  func brokerURL(text: String, isFine: Bool) {
    let answer = TopicLookupResponse(
      requestID: 1, lookupType: .connect, connectURL: Array("http://a:6650".utf8),
      brokerURL: Array(text.utf8), isProxy: true)
    #expect(TopicOwner(answer).isNamedInFields == isFine)
  }
}
