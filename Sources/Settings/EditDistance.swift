/// The number of insertions, deletions, replacements and swaps of neighbours that turn `left` into
/// `right` (optimal string alignment), or nil when it is above `limit`. Upper and lower case are
/// equal. O(product of the lengths); texts whose lengths differ by more than `limit` cost nothing.
func editDistance(_ left: String, _ right: String, limit: Int) -> Int? {
  let a = Array(left.lowercased().utf8)
  let b = Array(right.lowercased().utf8)
  guard abs(a.count - b.count) <= limit else { return nil }
  if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
  var beforePrevious = [Int](repeating: 0, count: b.count + 1)
  var previous = Array(0...b.count)
  for i in 1...a.count {
    var current = [Int](repeating: 0, count: b.count + 1)
    current[0] = i
    for j in 1...b.count {
      let replacement = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
      var best = min(replacement, previous[j] + 1, current[j - 1] + 1)
      if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
        best = min(best, beforePrevious[j - 2] + 1)
      }
      current[j] = best
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.count] <= limit ? previous[b.count] : nil
}

/// The candidate nearest to `text` when it is near enough to be what was meant: one edit for each
/// three characters begun. The first of equals.
func nearest(to text: String, among candidates: [String]) -> String? {
  var best: (candidate: String, distance: Int)?
  for candidate in candidates {
    let limit = (min(text.utf8.count, candidate.utf8.count) + 2) / 3
    guard let distance = editDistance(text, candidate, limit: limit) else { continue }
    if best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
  }
  return best?.candidate
}
