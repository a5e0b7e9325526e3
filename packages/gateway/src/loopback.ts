/**
 * `node --import` loads this into the demo's HTTP server: the published server listens on all addresses of the machine and has no option to
 * change that. With this, it listens on loopback only, and exits when the gateway is gone, however that ended.
 */
import { Server } from "node:net"

const { listen } = Server.prototype

Server.prototype.listen = function(this: Server, ...options: Array<unknown>): Server {
  const [port, ...others] = options
  return Reflect.apply(
    listen,
    this,
    Number.isInteger(Number(port)) ? [port, "127.0.0.1", ...others] : options
  ) as Server
}

process.stdin.on("end", () => process.exit()).resume()
