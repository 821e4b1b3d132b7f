internal import COpenSSL

/// HMAC with SHA-256 (RFC 2104, "HS256" in RFC 7518 §3.2), and comparing that tells nothing by the
/// time it takes; both are OpenSSL's.
enum HMACSHA256 {
  static let byteCount = 32

  /// Whether `signature` is that of `text`.
  static func isSignature(_ signature: [UInt8], of text: ArraySlice<UInt8>, key: [UInt8]) -> Bool {
    var own = [UInt8](repeating: 0, count: byteCount)
    var count = UInt32(byteCount)
    let isMade = unsafe text.withUnsafeBufferPointer { text in
      unsafe HMAC(
        EVP_sha256(), key, Int32(clamping: key.count), text.baseAddress, text.count, &own, &count)
        != nil
    }
    // Without memory there is no signature, and nothing matches.
    guard isMade, Int(count) == byteCount, signature.count == byteCount else { return false }
    return unsafe CRYPTO_memcmp(own, signature, byteCount) == 0
  }

  /// Whether both are the same; the time tells nothing but their lengths.
  static func areEqual(_ left: RawSpan, _ right: [UInt8]) -> Bool {
    guard left.byteCount == right.count else { return false }
    return unsafe left.withUnsafeBytes { left in
      unsafe left.isEmpty || CRYPTO_memcmp(left.baseAddress, right, right.count) == 0
    }
  }
}
