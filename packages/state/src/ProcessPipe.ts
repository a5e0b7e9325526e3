/**
 * On Windows, where Node.js does not say when a process was started, one shows that it lives by listening at a named pipe, which the system
 * removes however the process ends. The name is random, so no other process ever has it.
 */
import { randomBytes } from "node:crypto"
import { connect, createServer } from "node:net"

const pipes = "\\\\.\\pipe\\mcp-lifeline-"

/** In milliseconds. A pipe that is not there says so at once. */
const timeout = 500

/** Until this process ends. Succeeds with its name; empty if the system refuses it, as in some sandboxes. */
export const open = (prefix: string = pipes): Promise<string> =>
  new Promise((resolve) => {
    const name = randomBytes(16).toString("hex")
    const server = createServer((socket) => socket.on("error", () => undefined).destroy())
    server.on("error", () => resolve(""))
    // Otherwise a worker of `node:cluster` would have its primary listen.
    server.listen({ path: prefix + name, exclusive: true }, () => resolve(name))
    server.unref()
  })

/** A stopped process lives, and its pipe soon answers nobody. */
export const state = (name: string, prefix: string = pipes): Promise<"running" | "gone" | "unknown"> =>
  new Promise((resolve) => {
    const socket = connect(prefix + name)
    const end = (state: "running" | "gone" | "unknown"): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(state)
    }
    const timer = setTimeout(() => end("running"), timeout)
    socket.on("connect", () => end("running"))
    socket.on(
      "error",
      ({ code }: NodeJS.ErrnoException) =>
        end(code === "ENOENT" ? "gone" : code === "EMFILE" || code === "ENFILE" ? "unknown" : "running")
    )
  })
