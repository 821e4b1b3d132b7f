import Bytes
import HTTP1
import Testing

@Suite("Writing responses")
struct ResponseHeadTests {
  private func written(_ head: ResponseHead) -> String {
    var output = GrowableBytes()
    head.write(into: &output)
    return String(decoding: array(output.bytes), as: UTF8.self)
  }

  @Test("A response says its status, type and length")
  func plain() {
    let head = ResponseHead(
      statusCode: 200, contentType: "application/json", contentLength: 1234, isLast: false)
    #expect(
      written(head)
        == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1234\r\n\r\n")
  }

  @Test("The last response says so, and an HTTP/1.0 client that stays is told")
  func connection() {
    let last = ResponseHead(statusCode: 404, contentLength: 0, isLast: true)
    #expect(
      written(last) == "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    let old = ResponseHead(statusCode: 200, contentLength: 7, isLast: false, minorVersion: 0)
    #expect(
      written(old) == "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n")
  }

  @Test("204 has no length; more fields come with what they may not hold blanked")
  func fields() {
    let head = ResponseHead(
      statusCode: 204, contentLength: 0, isLast: false,
      fields: [("Retry-After", "1"), ("X", "a\r\nSet-Cookie: b\u{0}é")])
    #expect(
      written(head)
        == "HTTP/1.1 204 No Content\r\nRetry-After: 1\r\nX: a  Set-Cookie: b é\r\n\r\n")
  }

  @Test("A response says when it was made")
  func date() {
    var head = ResponseHead(statusCode: 422, contentLength: 0, isLast: false)
    head.date = Array("Sun, 06 Nov 1994 08:49:37 GMT".utf8)
    #expect(
      written(head)
        == "HTTP/1.1 422 Unprocessable Content\r\nContent-Length: 0\r\n"
        + "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n")
  }

  @Test("The interim response has no fields")
  func interim() {
    var output = GrowableBytes()
    ResponseHead.writeContinue(into: &output)
    #expect(array(output.bytes) == Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
  }

  @Test("Every status of an error has a reason phrase", arguments: HTTP1Error.allCases)
  func reasons(error: HTTP1Error) {
    let head = ResponseHead(statusCode: error.statusCode, contentLength: 0, isLast: true)
    #expect(!written(head).contains("Unknown"))
  }
}
