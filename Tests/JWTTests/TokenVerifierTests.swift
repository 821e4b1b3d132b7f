import JWT
import TestCertificates
import Testing

@Suite("A token is accepted when its signature is right and it says until when")
struct TokenVerifierTests {
  private let verifier = TokenVerifier(secret: TokenMaker.secret)

  private func claims(_ token: String, by verifier: TokenVerifier? = nil) -> Result<
    TokenClaims, TokenRefusal
  > {
    Result { () throws(TokenRefusal) in
      try (verifier ?? self.verifier).claims(of: Array(token.utf8)[...])
    }
  }

  private func refusal(_ token: String) -> TokenRefusal? {
    switch claims(token) {
    case .success: nil
    case .failure(let refusal): refusal
    }
  }

  @Test("The example of RFC 7515 A.1: its signature is right, it has no `sub`")
  func example() throws {
    // The key's octets, in base64url: AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75
    // aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow
    let key: [UInt8] = [
      3, 35, 53, 75, 43, 15, 165, 188, 131, 126, 6, 101, 119, 123, 166, 143, 90, 179, 40, 230, 240,
      84, 201, 40, 169, 15, 132, 178, 210, 80, 46, 191, 211, 251, 90, 146, 210, 6, 71, 239, 150,
      138, 180, 195, 119, 98, 61, 34, 61, 46, 33, 114, 5, 46, 79, 8, 192, 205, 154, 245, 103, 208,
      128, 163,
    ]
    let token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
      + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
      + "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
      + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    // The signature is right, so that what it says is looked at: `sub` is missing.
    #expect(claims(token, by: TokenVerifier(secret: key)) == .failure(.claims))
    let last = token.dropLast() + "l"
    #expect(claims(String(last), by: TokenVerifier(secret: key)) != .failure(.claims))
  }

  @Test("What Danube's tool makes is read")
  func danube() throws {
    let token = try TokenMaker.token(
      """
      {"iss":"danube","exp":1900000000,"sub":"edge-7","principal_type":"service_account",\
      "principal_name":"edge-7"}
      """)
    let claims = try verifier.claims(of: Array(token.utf8)[...])
    #expect(claims.subject == Array("edge-7".utf8))
    #expect(claims.expiresAt == 1_900_000_000)
    #expect(claims.notBefore == nil)
  }

  @Test("Every bit of the signature counts, and every character of the rest")
  func flippedBits() throws {
    let signed =
      TokenMaker.base64URL(TokenMaker.header) + "."
      + TokenMaker.base64URL(#"{"exp":1900000000,"sub":"a"}"#)
    let signature = try TokenMaker.hmac(signed)
    #expect(refusal(signed + "." + TokenMaker.base64URL(signature)) == nil)
    for bit in 0..<256 {
      var wrong = signature
      wrong[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(refusal(signed + "." + TokenMaker.base64URL(wrong)) == .signature)
    }
    for count in 0..<32 {
      let short = TokenMaker.base64URL(Array(signature[..<count]))
      #expect(refusal(signed + "." + short) == .signature)
    }
    let whole = Array((signed + "." + TokenMaker.base64URL(signature)).utf8)
    for index in whole.indices {
      var wrong = whole
      wrong[index] = wrong[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
      let refusal = refusal(String(decoding: wrong, as: UTF8.self))
      #expect(refusal == .signature || refusal == .malformed, "character \(index)")
      #expect(self.refusal(String(decoding: whole[..<index], as: UTF8.self)) != nil)
    }
  }

  @Test("Without a signature, and with another secret's, nothing is looked at")
  func unsigned() throws {
    let claims = TokenMaker.base64URL(#"{"exp":1900000000,"sub":"a"}"#)
    for header in [#"{"alg":"none"}"#, #"{"alg":"HS256"}"#, #"{"alg":"None","typ":"JWT"}"#] {
      #expect(refusal(TokenMaker.base64URL(header) + "." + claims + ".") == .signature)
    }
    let token = try TokenMaker.token(#"{"exp":1900000000,"sub":"a"}"#)
    let other = TokenVerifier(secret: Array("0123456789abcdef0123456789abcdeF".utf8))
    #expect(self.claims(token, by: other) == .failure(.signature))
  }

  @Test(
    "The header has to be one of HS256, also with a right signature",
    arguments: [
      #"{"alg":"none"}"#, #"{"alg":"HS384"}"#, #"{"alg":"hs256"}"#, #"{"typ":"JWT"}"#, "{}", "",
      "[]", #""HS256""#, #"{"alg":"HS256","crit":["exp"]}"#, #"{"alg":"none","alg":"HS256"}"#,
      #"{"alg":"HS256"} {}"#, #"{"alg":"HS256""#, #"{"alg":["HS256"]}"#,
      #"{"\u0061lg":"none","alg":"HS256"}"#,
    ])
  func header(header: String) throws {
    let token = try TokenMaker.token(#"{"exp":1900000000,"sub":"a"}"#, header: header)
    #expect(refusal(token) == .claims)
  }

  @Test(
    "Claims that are not to be understood are none",
    arguments: [
      "", "{}", "null", "[]", #"{"exp":1900000000}"#, #"{"sub":"a"}"#,
      #"{"exp":"1900000000","sub":"a"}"#, #"{"exp":null,"sub":"a"}"#,
      #"{"exp":1900000000,"sub":7}"#, #"{"exp":-1,"sub":"a"}"#, #"{"exp":1e400,"sub":"a"}"#,
      #"{"exp":nan,"sub":"a"}"#, #"{"exp":0x7fffffff,"sub":"a"}"#, #"{"exp":true,"sub":"a"}"#,
      #"{"exp":9007199254740993000,"sub":"a"}"#, #"{"exp":1,"exp":1900000000,"sub":"a"}"#,
      #"{"exp":1900000000,"sub":"a","sub":"b"}"#, #"{"exp":1900000000,"sub":"a""#,
      #"{"exp":1900000000,"sub":"a"}x"#, #"{"exp":1900000000 "sub":"a"}"#,
      #"{"exp":1900000000,"sub":"a","nbf":"1"}"#, #"{"a":{"exp":1900000000,"sub":"a"}}"#,
      #"{"\u0065xp":1900000000,"sub":"a"}"#, #"{exp:1900000000,"sub":"a"}"#,
      "{\"exp\":1900000000,\"sub\":\"a\",\"b\":" + String(repeating: "[", count: 300)
        + String(repeating: "]", count: 300) + "}",
    ])
  func badClaims(claims: String) throws {
    #expect(refusal(try TokenMaker.token(claims)) == .claims)
  }

  @Test(
    "Numbers may be written in each way of JSON, members may be nested",
    arguments: [
      (#"{"exp":1900000000.75,"sub":"a"}"#, 1_900_000_000),
      (#"{"exp":1.9e9,"sub":"a"}"#, 1_900_000_000), (#" {"exp": 0 , "sub": "" } "#, 0),
      (#"{"aud":["x",{"exp":5}],"exp":7,"realm":{"sub":"b"},"sub":"a"}"#, 7),
    ])
  func goodClaims(claims: String, expiresAt: Int64) throws {
    let token = try TokenMaker.token(claims)
    #expect(try verifier.claims(of: Array(token.utf8)[...]).expiresAt == expiresAt)
  }

  @Test("What is not three parts of base64url, or too long, is no token")
  func malformed() throws {
    let token = try TokenMaker.token(#"{"exp":1900000000,"sub":"a"}"#)
    for text in [
      "", ".", "..", "...", "a.b", "a.b.c", token + ".", "." + token, token + "=", token + " ",
      token.replacing("_", with: "/") + "/", String(repeating: "A", count: 9_000),
    ] {
      #expect(refusal(text) == .malformed || text == "..", "\(text)")
    }
    #expect(refusal("..") == .signature)
    let huge = try TokenMaker.token(
      #"{"exp":1900000000,"sub":""# + String(repeating: "a", count: 8_192) + "\"}")
    #expect(refusal(huge) == .malformed)
    let large = try TokenMaker.token(
      #"{"exp":1900000000,"sub":""# + String(repeating: "a", count: 5_900) + "\"}")
    #expect(refusal(large) == nil)
  }

  @Test("The end has a leeway of 60 seconds, to the second; the beginning, too")
  func times() throws {
    let token = try TokenMaker.token(#"{"exp":1000,"sub":"a","nbf":500}"#)
    let claims = try verifier.claims(of: Array(token.utf8)[...])
    func refusal(_ now: Int64, _ isTrusted: Bool = true) -> TokenRefusal? {
      claims.refusal(atUnixSeconds: now, isClockTrusted: isTrusted)
    }
    #expect(refusal(1060) == nil)
    #expect(refusal(1061) == .expired)
    #expect(refusal(440) == nil)
    #expect(refusal(439) == .notYetValid)
    // A clock that was not set is behind: only the end is told by it.
    #expect(refusal(0, false) == nil)
    #expect(refusal(1061, false) == .expired)
    #expect(refusal(.max) == .expired)
    #expect(refusal(.min) == .notYetValid || refusal(.min) == .expired)
  }

  @Test("The scheme may be in any case, and there is one space")
  func field() throws {
    func token(_ field: String) -> String? {
      (try? TokenVerifier.token(inField: Array(field.utf8)))
        .map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(token("Bearer abc") == "abc")
    #expect(token("bearer abc") == "abc")
    #expect(token("BEARER abc") == "abc")
    for field in ["", "Bearer", "Bearer ", "Basic abc", "Bearerabc", "abc", " Bearer abc"] {
      #expect(token(field) == nil, "\(field)")
    }
    #expect(throws: TokenRefusal.missing) { try TokenVerifier.token(inField: []) }
    #expect(throws: TokenRefusal.malformed) { try TokenVerifier.token(inField: [66]) }
  }

  @Test("A secret does not show in descriptions")
  func description() {
    var dumped = ""
    dump(verifier, to: &dumped)
    #expect("\(verifier) \(dumped)".contains("<secret>"))
    #expect(!"\(verifier) \(dumped)".contains("48"))
  }
}
