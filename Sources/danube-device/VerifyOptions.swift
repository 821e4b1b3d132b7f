/// The options of `danube-device verify`.
struct VerifyOptions: Equatable {
  var manifests: [String] = []
  var received: [String] = []
  var allowsDuplicates = false
  var isOrdered = false
  var printsJSON = false
}
