extension Verification.Verdict {
  /// What is wrong, each a phrase; empty when all is well.
  func faults(_ options: VerifyOptions) -> [String] {
    // A comparison of nothing with something would always succeed.
    guard acknowledged > 0 else { return ["nothing was acknowledged"] }
    var faults: [String] = []
    if missing > 0 { faults.append("\(missing) of \(acknowledged) acknowledged are missing") }
    if duplicated > 0, !options.allowsDuplicates {
      faults.append("\(duplicated) arrived again")
    }
    if disordered > 0, options.isOrdered { faults.append("\(disordered) are out of order") }
    return faults
  }

  func text(_ faults: [String]) -> String {
    let counts =
      "verify  \(acknowledged) acknowledged, \(arrived) arrived, \(missing) missing, "
      + "\(duplicated) duplicated, \(disordered) out of order, \(unacknowledged) unacknowledged, "
      + "\(foreign) foreign lines\n"
    guard !faults.isEmpty else {
      return counts + "verify  OK: all that was acknowledged arrived\n"
    }
    return counts + examples.map { "verify  \($0)\n" }.joined()
      + "verify  FAILED: \(faults.joined(separator: "; "))\n"
  }

  func json(isGood: Bool) -> String {
    "{\"ok\":\(isGood),\"acknowledged\":\(acknowledged),\"arrived\":\(arrived)"
      + ",\"missing\":\(missing),\"duplicated\":\(duplicated),\"out_of_order\":\(disordered)"
      + ",\"unacknowledged\":\(unacknowledged),\"foreign_lines\":\(foreign)}\n"
  }
}
