import IOPort
import Settings
import Spool
import Uring

/// A look at the spool's folder before the gateway uses it, or though it does not.
enum SpoolLook {
  /// What is there; nil when there is no folder, or it can't be read. Nothing is changed.
  static func listing(_ configuration: GatewayConfiguration) -> SpoolListing? {
    var port = BlockingFiles(isReadOnly: true)
    do throws(IOError) {
      let directory = try port.openDirectory(folder(configuration))
      var inspection = SpoolInspection(port: port, directory: directory)
      try inspection.load()
      return inspection.listing()
    } catch {
      return nil
    }
  }

  /// The folder of the spool.
  static func folder(_ configuration: GatewayConfiguration) -> String {
    configuration.gateway.dataDirectory + "/spool"
  }
}
