import { describe, expect, it } from "@effect/vitest"
import * as Arguments from "../src/wrap/Arguments.js"

describe("the command line of wrap", () => {
  it.each(["localhost:3000/mcp", "127.0.0.1:3000", "[::1]:3000/mcp", "mcp.example.com:8443/mcp"])(
    "[W1] says how %s is written, which lacks only the scheme",
    (address) => {
      expect(() => Arguments.read([address])).toThrow(
        `${address} is no command: if it is the address of a server, write http://${address} or https://${address}`
      )
    }
  )

  it.each([["npx"], ["server.js:x"], ["C:\\server.exe"], ["./a:1"], ["--", "localhost:3000"]])(
    "[W1] takes %s for a command",
    (...argv) => expect(Arguments.read(argv)?.server).toMatchObject({ _tag: "Command", command: argv.at(-1) })
  )
})
