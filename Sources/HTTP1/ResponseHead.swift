public import Bytes

/// The head of a response, RFC 9112 §4.
public struct ResponseHead: Sendable {
  /// The status code, 100 ... 599.
  public var statusCode: UInt16
  /// The media type of the body; nil without one.
  public var contentType: StaticString?
  /// Bytes of the body; for HEAD, of the body that GET would have.
  public var contentLength: Int
  /// Whether the connection ends after this response.
  public var isLast: Bool
  /// Minor version of the request; to an HTTP/1.0 client that stays, `keep-alive` is said.
  public var minorVersion: UInt8
  /// When the response was made, as an `IMF-fixdate` (RFC 9110 §5.6.7); empty for no `Date`.
  public var date: [UInt8] = []
  /// More fields. Names are tokens; what a value may not hold is written as a space.
  public var fields: [(name: StaticString, value: String)]

  /// A head.
  public init(
    statusCode: UInt16, contentType: StaticString? = nil, contentLength: Int,
    isLast: Bool, minorVersion: UInt8 = 1, fields: [(name: StaticString, value: String)] = []
  ) {
    precondition(statusCode >= 100 && statusCode <= 599 && contentLength >= 0)
    self.statusCode = statusCode
    self.contentType = contentType
    self.contentLength = contentLength
    self.isLast = isLast
    self.minorVersion = minorVersion
    self.fields = fields
  }

  /// Appends the head; the body follows.
  public func write(into output: inout GrowableBytes) {
    output.append("HTTP/1.1 ")
    Self.append(Int(statusCode), to: &output)
    output.append(" ")
    output.append(Self.reason(statusCode))
    output.append("\r\n")
    if let contentType {
      output.append("Content-Type: ")
      output.append(contentType)
      output.append("\r\n")
    }
    // RFC 9110 §8.6: no length in 1xx and 204.
    if statusCode >= 200 && statusCode != 204 {
      output.append("Content-Length: ")
      Self.append(contentLength, to: &output)
      output.append("\r\n")
    }
    if !date.isEmpty {
      output.append("Date: ")
      output.append(contentsOf: date)
      output.append("\r\n")
    }
    for field in fields {
      output.append(field.name)
      output.append(": ")
      for byte in field.value.utf8 {
        output.append(ASCII.isForbidden(byte) ? ASCII.space : byte)
      }
      output.append("\r\n")
    }
    if isLast {
      output.append("Connection: close\r\n")
    } else if minorVersion == 0 {
      output.append("Connection: keep-alive\r\n")
    }
    output.append("\r\n")
  }

  /// Appends the interim response that lets a peer send its body (RFC 9110 §15.2.1).
  public static func writeContinue(into output: inout GrowableBytes) {
    output.append("HTTP/1.1 100 Continue\r\n\r\n")
  }

  private static func append(_ number: Int, to output: inout GrowableBytes) {
    if number >= 10 { append(number / 10, to: &output) }
    output.append(UInt8(ascii: "0") + UInt8(number % 10))
  }

  /// The reason phrase; it tells clients nothing, people a little.
  private static func reason(_ statusCode: UInt16) -> StaticString {
    switch statusCode {
    case 100: "Continue"
    case 200: "OK"
    case 202: "Accepted"
    case 204: "No Content"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 422: "Unprocessable Content"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    case 507: "Insufficient Storage"
    default: "Unknown"
    }
  }
}
