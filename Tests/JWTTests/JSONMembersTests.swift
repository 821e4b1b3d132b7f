import Testing

@testable import JWT

@Suite("Claims are read whatever they are")
struct JSONMembersTests {
  private static let seeds = [
    #"{"alg":"HS256","typ":"JWT","crit":[],"x":{"y":[1,2,{"z":null}]}}"#,
    #"{"iss":"danube","exp":1900000000.5e0,"sub":"a\"\\\u00e4","nbf":0,"aud":["b","c"]}"#,
    #" { "exp" : 7 , "sub" : "" , "ok" : true } "#,
  ]

  @Test("Bytes changed, cut out and put in never trap", arguments: 1...8 as ClosedRange<UInt64>)
  func mutations(seed: UInt64) {
    var random = Random(state: seed)
    let pieces = Array("{}[]\",:\\0123456789eE+-.nulltruefalse\u{0} \n\t".utf8) + [0x80, 0xff]
    for text in Self.seeds {
      for _ in 0..<4_000 {
        var bytes = Array(text.utf8)
        for _ in 0...Int.random(in: 0..<6, using: &random) where !bytes.isEmpty {
          let place = Int.random(in: 0..<bytes.count, using: &random)
          switch Int.random(in: 0..<4, using: &random) {
          case 0: bytes[place] = pieces.randomElement(using: &random) ?? 0
          case 1: bytes.insert(pieces.randomElement(using: &random) ?? 0, at: place)
          case 2: bytes.remove(at: place)
          default: bytes.removeSubrange(place...)
          }
        }
        guard let members = JSONMembers(bytes) else { continue }
        for name in ["exp", "sub", "alg", "nbf", "crit"] as [StaticString] {
          let isThere = members.has(name)
          #expect(isThere || members.time(name) == nil, "seed \(seed): \(bytes)")
          #expect(isThere || members.string(name) == nil, "seed \(seed): \(bytes)")
        }
      }
    }
  }

  @Test("Any bytes, and deep or wide ones")
  func anything() {
    #expect(JSONMembers([]) == nil)
    #expect(JSONMembers([0]) == nil)
    #expect(JSONMembers(Array("{}\0".utf8)) == nil)
    #expect(JSONMembers(Array(String(repeating: "{\"a\":", count: 2_000).utf8)) == nil)
    let wide = "{" + (0..<200).map { "\"\($0)\":1" }.joined(separator: ",") + "}"
    #expect(JSONMembers(Array(wide.utf8)) == nil)
    #expect(JSONMembers(Array("{}".utf8))?.has("exp") == false)
  }

  @Test("base64url is read as encoders write it, and in no other way")
  func base64URL() {
    func decoded(_ text: String) -> [UInt8]? { Base64URL.decode(Array(text.utf8)[...]) }
    #expect(decoded("") == [])
    #expect(decoded("Zg") == [0x66])
    #expect(decoded("Zm8") == [0x66, 0x6f])
    #expect(decoded("Zm9v") == [0x66, 0x6f, 0x6f])
    #expect(decoded("-_-_") == [0xfb, 0xff, 0xbf])
    for text in ["Z", "Zm9vY", "Zh", "Zm9", "Zg==", "Zm+v", "Zm/v", "Zm v", "Zm\n", "Zm9ö"] {
      #expect(decoded(text) == nil, "\(text)")
    }
  }
}

/// SplitMix64.
private struct Random: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
