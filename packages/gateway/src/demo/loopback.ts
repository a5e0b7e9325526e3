/** For `node --import` in the demo's HTTP server, which listens on all addresses otherwise, and outlives the gateway. */
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
