import Bytes
import HTTP1
import Testing

@Suite("Targets and fields of a request")
struct TargetTests {
  private func decoded(_ text: String, isQuery: Bool) -> String {
    var output = GrowableBytes()
    Array(text.utf8).withUnsafeBytes {
      PercentEncoding.decode($0.bytes, isQuery: isQuery, into: &output)
    }
    return String(decoding: array(output.bytes), as: UTF8.self)
  }

  @Test(
    "Escapes are decoded once, and what is none stays",
    arguments: [
      ("", "", ""), ("a+b", "a+b", "a b"), ("%41%2b", "A+", "A+"), ("%2541", "%41", "%41"),
      ("%4", "%4", "%4"), ("%", "%", "%"), ("%zz%20", "%zz ", "%zz "), ("%C3%a9", "é", "é"),
    ])
  func decoding(text: String, inPath: String, inQuery: String) {
    #expect(decoded(text, isQuery: false) == inPath)
    #expect(decoded(text, isQuery: true) == inQuery)
  }

  /// The value of a parameter of a query.
  private func value(of name: String, in query: String) -> String? {
    var scanner = HeadScanner()
    var parser = HeadParser()
    let limits = RequestLimits(bodyBytes: 0)
    let text = Array("GET /?\(query) HTTP/1.1\r\nHost: a\r\nX-Who: me\r\n\r\n".utf8)
    return text.withUnsafeBytes { bytes -> String? in
      guard case .complete(0, text.count) = scanner.scan(bytes.bytes, limits: limits),
        (try? parser.parse(bytes.bytes, limits: limits)) != nil
      else { return "no head" }
      return Array(name.utf8).withUnsafeBytes { name -> String? in
        guard let value = parser.head(in: bytes.bytes).queryValue(of: name.bytes) else {
          return nil
        }
        return String(decoding: array(value), as: UTF8.self)
      }
    }
  }

  @Test(
    "A parameter of the query is found by its decoded name, the first of several",
    arguments: [
      ("a=1&b=2", "b", "2"), ("a=1&a=2", "a", "1"), ("a", "a", ""), ("a=&b", "a", ""),
      ("%61=x", "a", "x"), ("a+b=x%20y", "a b", "x%20y"), ("&&a=b=c&", "a", "b=c"),
      ("aa=1", "a", nil), ("a=1", "aa", nil), ("", "a", nil), ("A=1", "a", nil),
    ] as [(String, String, String?)])
  func queryValues(query: String, name: String, expected: String?) {
    #expect(value(of: name, in: query) == expected)
  }

  @Test("Fields are found without regard to case")
  func fieldNames() throws {
    var parser = HeadParser()
    let text = Array("GET / HTTP/1.1\r\nHost: a\r\nX-WHO: me\r\n\r\n".utf8)
    try text.withUnsafeBytes { bytes in
      try parser.parse(bytes.bytes, limits: RequestLimits(bodyBytes: 0))
      let head = parser.head(in: bytes.bytes)
      let found = ["x-who", "x-wh", "x-whom"].map { name in
        Array(name.utf8).withUnsafeBytes { head.isField(at: 1, named: $0.bytes) }
      }
      #expect(found == [true, false, false])
    }
  }
}
