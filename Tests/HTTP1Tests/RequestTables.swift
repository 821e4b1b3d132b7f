/// Requests and what a reader says about them.
enum RequestTables {
  static let good: [(String, String)] = [
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / Host=a | end"),
    ("GET / HTTP/1.1\r\nhOSt:\t a:80 \t\r\n\r\n", "GET / hOSt=a:80 | end"),
    ("\r\nGET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / Host= | end"),
    ("GET / HTTP/1.9\r\nHost: [::1]:9090\r\n\r\n", "GET / Host=[::1]:9090 | end"),
    ("GET / HTTP/1.0\r\n\r\n", "GET / close | end"),
    ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / Connection=Keep-Alive | end"),
    (
      "GET /a?b=c?d&e HTTP/1.1\r\nHost: a\r\nConnection: x , ,CLOSE\r\n\r\n",
      "GET /a ?b=c?d&e close Host=a Connection=x , ,CLOSE | end"
    ),
    (
      "HEAD http://a.example:80/m?x HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /m ?x Host=a | end"
    ),
    ("GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET  Host=a | end"),
    (
      "GET /a%2f%C3%A9/../x//%25?%zz=%00 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /a%2f%C3%A9/../x//%25 ?%zz=%00 Host=a | end"
    ),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * Host=a | end"),
    ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "CONNECT a:1 Host=a:1 | end"),
    (
      "BREW~! /pot HTTP/1.1\r\nHost: a\r\nX: \u{e9}\tb\r\nEmpty:\r\n\r\n",
      "BREW~! /pot Host=a X=\u{e9}\tb Empty= | end"
    ),
    (
      "POST /in HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      "POST /in length(5) Host=a Content-Length=5 | body hello | end"
    ),
    (
      "POST /in HTTP/1.1\r\nHost: a\r\nContent-Length: 000\r\nExpect: 100-continue\r\n\r\n",
      "POST /in Host=a Content-Length=000 Expect=100-continue | end"
    ),
    (
      "POST /in HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi",
      "POST /in length(2) expects Host=a Expect=100-Continue Content-Length=2 | body hi | end"
    ),
    (
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
        + "5\r\nhello\r\n00A;x=\"y z\"\r\n, wonders \r\n0\r\nT-1: v\r\nT-2:\r\n\r\n",
      "POST / chunked Host=a Transfer-Encoding=Chunked | body hello, wonders  | end"
    ),
    (
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked,\r\n\r\n0\r\n\r\n",
      "POST / chunked Host=a Transfer-Encoding=,chunked, | end"
    ),
    (
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
        + "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n\r\nGET /3 HTTP/1.1\r\nHost: c\r\n\r\n",
      "POST / length(2) Host=a Content-Length=2 | body hi | end | GET /2 Host=b | end "
        + "| GET /3 Host=c | end"
    ),
  ]

  /// The request line and `Host: a` stand before a line that begins with `+`.
  static let bad: [(String, String)] = [
    (" GET / HTTP/1.1\r\n\r\n", "invalidRequestLine"),
    ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", "invalidRequestLine"),
    ("GET\r\n\r\n", "invalidRequestLine"),
    ("GET /\r\n\r\n", "invalidRequestLine"),
    ("GET / \r\n\r\n", "invalidRequestLine"),
    ("GET  / HTTP/1.1\r\n\r\n", "invalidRequestLine"),
    ("GET /  HTTP/1.1\r\n\r\n", "invalidRequestLine"),
    ("GET / HTTP/1.1 \r\n\r\n", "invalidRequestLine"),
    ("GET / http/1.1\r\n\r\n", "invalidRequestLine"),
    ("GET / HTTP/11\r\n\r\n", "invalidRequestLine"),
    ("GET / HTTP/1.10\r\n\r\n", "invalidRequestLine"),
    ("GET / HTTP/1,1\r\n\r\n", "invalidRequestLine"),
    ("GET\t/ HTTP/1.1\r\n\r\n", "invalidRequestLine"),
    ("G(T / HTTP/1.1\r\n\r\n", "invalidRequestLine"),
    ("GET / HTTP/2.0\r\n\r\n", "unsupportedVersion"),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "unsupportedVersion"),
    ("GET x HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET * HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET /a#b HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET /\u{e9} HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET /a%2 HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET /a%g0 HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET /% HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET /a%00b HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET /a%0d%0ab HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET /a%7Fb HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET ftp://a/ HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET http:///a HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET http://u@a/ HTTP/1.1\r\n\r\n", "invalidTarget"),
    ("GET / HTTP/1.1\n\n", "bareLineFeed"),
    ("+X: a\n\r\n", "bareLineFeed"),
    ("+X: a\rb\r\n\r\n", "bareCarriageReturn"),
    ("+X: a\r\r\n\r\n", "bareCarriageReturn"),
    ("\u{16}\u{3}\u{1}\u{2}", "invalidCharacter"),
    ("GET /\u{0} HTTP/1.1\r\n\r\n", "invalidCharacter"),
    ("+X: a\u{0}b\r\n\r\n", "invalidCharacter"),
    ("+X: a\u{7f}b\r\n\r\n", "invalidCharacter"),
    ("GET / HTTP/1.1\r\n\r\n", "invalidHost"),
    ("+Host: b\r\n\r\n", "invalidHost"),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "invalidHost"),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "invalidHost"),
    ("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", "invalidHost"),
    ("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "invalidHost"),
    ("+X : a\r\n\r\n", "invalidFieldName"),
    ("+X\t: a\r\n\r\n", "invalidFieldName"),
    ("+: a\r\n\r\n", "invalidFieldName"),
    ("+X\r\n\r\n", "invalidFieldName"),
    ("+X(y): a\r\n\r\n", "invalidFieldName"),
    ("+\u{e9}: a\r\n\r\n", "invalidFieldName"),
    ("+X: a\r\n b\r\n\r\n", "foldedField"),
    ("+\tX: a\r\n\r\n", "foldedField"),
    ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", "foldedField"),
    ("+Content-Length: \r\n\r\n", "invalidContentLength"),
    ("+Content-Length: -1\r\n\r\n", "invalidContentLength"),
    ("+Content-Length: +1\r\n\r\n", "invalidContentLength"),
    ("+Content-Length: 1, 1\r\n\r\n", "invalidContentLength"),
    ("+Content-Length: 0x1\r\n\r\n", "invalidContentLength"),
    ("+Content-Length: 1 1\r\n\r\n", "invalidContentLength"),
    ("+Content-Length: 1\r\nContent-length: 1\r\n\r\n", "invalidContentLength"),
    ("+Content-Length: 9223372036854775808\r\n\r\n", "invalidContentLength"),
    ("+Content-Length: 9999999999999999999\r\n\r\n", "invalidContentLength"),
    ("+Content-Length: 18446744073709551617\r\n\r\n", "invalidContentLength"),
    ("+Content-Length: 1001\r\n\r\n", "bodyTooLarge"),
    ("+Content-Length: 9223372036854775807\r\n\r\n", "bodyTooLarge"),
    ("+Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "ambiguousLength"),
    ("+Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "ambiguousLength"),
    (
      "+Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "invalidTransferEncoding"
    ),
    ("+Transfer-Encoding: chunked, chunked\r\n\r\n", "invalidTransferEncoding"),
    ("+Transfer-Encoding: chunked, identity\r\n\r\n", "invalidTransferEncoding"),
    ("+Transfer-Encoding: identity\r\n\r\n", "invalidTransferEncoding"),
    ("+Transfer-Encoding: xchunked\r\n\r\n", "invalidTransferEncoding"),
    ("+Transfer-Encoding: \"chunked\"\r\n\r\n", "invalidTransferEncoding"),
    ("+Transfer-Encoding:\r\n\r\n", "invalidTransferEncoding"),
    ("+Transfer-Encoding: gzip, chunked\r\n\r\n", "unknownTransferCoding"),
    ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "invalidTransferEncoding"),
    ("+Expect: 200-ok\r\n\r\n", "unknownExpectation"),
  ]

  /// What follows a head that announces chunks, and what becomes of it.
  static let badChunks: [(String, String)] = [
    ("\r\n", "invalidChunk"), ("g\r\n", "invalidChunk"), (" 1\r\n", "invalidChunk"),
    ("1 \r\n", "invalidChunk"), ("-1\r\n", "invalidChunk"), ("0x1\r\n", "invalidChunk"),
    ("1\n", "invalidChunk"), ("1\r\r", "invalidChunk"), ("1\r\nab", "invalidChunk"),
    ("1\r\na\n", "invalidChunk"), ("1\r\na\r\r", "invalidChunk"), ("1;a\n", "invalidChunk"),
    ("1;\u{0}", "invalidChunk"), ("0\r\n :", "invalidChunk"), ("0\r\na b", "invalidChunk"),
    ("0\r\na:\u{1}", "invalidChunk"), ("0\r\na:b\n", "invalidChunk"), ("0\r\n\rx", "invalidChunk"),
    ("0000000000000001\r\n", "invalidChunk"), ("ffffffffffffffff\r\n", "invalidChunk"),
    ("fffffffffffffff\r\n", "bodyTooLarge"), ("3e9\r\n", "bodyTooLarge"),
    ("1;" + String(repeating: "x", count: 4100), "headTooLarge"),
    ("0\r\na:" + String(repeating: "x", count: 4100), "headTooLarge"),
  ]

  /// The bytes of an entry of ``bad``.
  static func whole(_ text: String) -> String {
    text.hasPrefix("+") ? "POST / HTTP/1.1\r\nHost: a\r\n" + text.dropFirst() : text
  }

  /// A head that announces chunks.
  static let chunkedHead = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
}
