import { afterEach, assert, describe, it } from "vitest"
import { HeaderFraming } from "../src/StdoutNoise.js"
import { closeAll, make, note, until } from "./transport.js"

const advice = ": check that command and args start an MCP server over stdio"
const ended = "exited with code 3 before it answered its first request"

describe("a program that has not answered yet", () => {
  afterEach(closeAll)

  it("[S6] while it runs: its command, what it has written, and what to do", async () => {
    const { transport } = make("printf 'one\\ntwo\\nsure? '; echo why >&2; exec sleep 100")
    assert.isUndefined(transport.describe())
    await transport.start()
    const described = () => transport.describe() ?? ""
    await until(() => described().includes("last") && described().includes("stderr"))
    assert.strictEqual(
      described(),
      `"server" runs (pid ${transport.peer.pid}) but has not answered its first request; 3 lines on stdout were not JSON-RPC, `
        + `first "one", last "sure?"; stderr: why${advice}; if it is only slow to start, raise startLimit`
    )
  })

  const secret = `hush${"-hush".repeat(60)}`
  const lines: ReadonlyArray<readonly [what: string, script: string, seen: string]> = [
    ["nothing", "", ""],
    ["the beginning of a message", `printf '  {"jsonrpc"'`, ""],
    ["the beginning of several messages", `printf '[{'`, ""],
    ["white space", `echo; echo '  '; printf '  '`, ""],
    [
      "JSON that is no message",
      `echo null; echo 7; echo '{"jsonrpc":"1.0","id":1}'; echo '{"jsonrpc":"2.0"}'; echo '"x"'`,
      '5 lines on stdout were not JSON-RPC, first "null"'
    ],
    ["text that contains JSON", "printf 'a ['", '1 line on stdout was not JSON-RPC, last "a ["'],
    ["a long line", `echo '${"y".repeat(300)}'`, `1 line on stdout was not JSON-RPC, first "${"y".repeat(200)}"`],
    [
      "a line that begins with white space",
      "printf '%1100s\\n' word",
      '1 line on stdout was not JSON-RPC, first "word"'
    ],
    [
      "secrets",
      `echo 'a ${secret}'; printf 'b ${secret.slice(0, 50)}'`,
      '2 lines on stdout were not JSON-RPC, first "a ***", last "b ***"'
    ],
    ["no secret, but the beginning of one", `echo 'a hush'`, '1 line on stdout was not JSON-RPC, first "a hush"'],
    [
      "a line that is cut within a secret",
      `echo '${secret.repeat(5)}'`,
      `1 line on stdout was not JSON-RPC, first "${"***".repeat(4)}"`
    ]
  ]
  for (const [what, script, seen] of lines) {
    it(`[S6] [C10:real] one that has written ${what}`, async () => {
      const { lost, transport } = make(`${script || ":"}; exit 3`, { secrets: [secret] })
      await transport.start()
      assert.strictEqual((await lost).message, `"server" ${ended}${seen === "" ? "" : `; ${seen}${advice}`}`)
    })
  }

  it("[S6] a long command line is cut", async () => {
    for (const [length, shown] of [[200, "x".repeat(200)], [201, `${"x".repeat(200)}...`]] as const) {
      const { lost, transport } = make("exit 3", { target: "x".repeat(length) })
      await transport.start()
      assert.strictEqual((await lost).message, `"${shown}" ${ended}`)
    }
  })

  it("[S3] only the answer to the last request, and no refusal of server/discover, shows a server", async () => {
    const early = `{"jsonrpc":"2.0","id":0,"result":{}}`
    const says = [
      `{"jsonrpc":"2.0","id":5,"result":{}}`,
      `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
      `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}`,
      `{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"no"}}`
    ]
    const { messages, send, transport } = make(
      `echo '${early}'; ${says.map((line) => `read go; echo '${line}'`).join("; ")}; read end`
    )
    await transport.start()
    await until(() => messages.length === 1)
    await send({ id: 1, method: "server/discover" })
    const known: Array<boolean> = []
    for (let count = 1; count <= says.length; count++) {
      await until(() => messages.length === count + 1)
      known.push(transport.describe() === undefined)
      await send(count === 3 ? { id: 2, method: "initialize" } : { method: "notifications/x" })
    }
    assert.deepStrictEqual(known, [false, false, false, true])
  })

  it("[S4] noise of one that is known to be a server is logged when it comes", async () => {
    const { messages, send, transport, warnings } = make(
      `read a; echo '{"jsonrpc":"2.0","id":1,"result":{}}'; read b; echo noise; echo '${note}'; read end`
    )
    await transport.start()
    await send({ id: 1, method: "server/discover" })
    await until(() => messages.length === 1)
    assert.deepStrictEqual(warnings, [])
    await send({ method: "notifications/x" })
    await until(() => messages.length === 2)
    assert.deepStrictEqual(warnings, [
      'a line on stdout is not JSON-RPC and is skipped, as are others like it (a server logs to stderr): "noise"'
    ])
  })

  const message = `{"jsonrpc":"2.0","id":1,"result":{"a":"${"x".repeat(2000)}"}}`
  const length = `Content-Length: ${message.length}`
  const framings: Readonly<Record<string, string>> = {
    "CRLF": `printf '${length}\\r\\n\\r\\n${message}'`,
    "LF": `printf '${length}\\n\\n${message}'`,
    "lower case, and two headers":
      `printf '${length.toLowerCase()}\\r\\nContent-Type: application/json\\r\\n\\r\\n${message}'`,
    "a header before it": `printf 'Content-Type: application/json\\r\\n${length}\\r\\n\\r\\n${message}'`,
    "a log before it": `echo starting; printf '${length}\\r\\n\\r\\n${message}'`,
    "pieces": `printf 'Content-'; sleep 0.1; printf '${length.slice(8)}\\r\\n\\r'; sleep 0.1; printf '\\n${
      message.slice(0, 99)
    }'; sleep 0.1; printf '${message.slice(99)}'`,
    "two messages": `printf '${length}\\r\\n\\r\\n${message}${length}\\r\\n\\r\\n${message}'`
  }
  it.each(Object.entries(framings))(
    "[S6] one that frames its messages with headers is named at once: %s",
    async (_, script) => {
      const { lost, transport } = make(`${script}; exec sleep 100`)
      await transport.start()
      const { cause, message } = await lost
      assert.match(message, /^"server" frames its messages with Content-Length headers, .*one message a line/)
      assert.deepInclude(cause, { _tag: "ConnectError", reason: "incompatible", permanent: true, message })
    }
  )

  it("[S6:unit] counts the bytes of a body, not its characters", () => {
    const body = `{"a":"${"ä".repeat(20)}"}`
    for (const [length, isUsed] of [[48, true], [49, false]] as const) {
      const headers = new HeaderFraming()
      assert.deepStrictEqual([`Content-Length: ${length}`, "", body].map((line) => headers.add(line)), [
        false,
        false,
        isUsed
      ])
    }
  })

  const logs: Readonly<Record<string, string>> = {
    "a header in a log": `echo '${length}'; echo '${message}'`,
    "a header and an empty line in a log": `echo '${length}'; echo; echo '${message}'`,
    "a message that comes in pieces": `echo '${length}'; echo; printf '${message.slice(0, 99)}'; sleep 0.1; echo '${
      message.slice(99)
    }'`,
    "a body in a log": `echo 'Content-Length: 7'; echo; echo '{"a":1}'; printf '${
      message.slice(0, 99)
    }'; sleep 0.1; echo '${message.slice(99)}'`
  }
  it.each(Object.entries(logs))("[S4] [S6] no log of HTTP costs the connection: %s", async (_, script) => {
    const { messages, transport } = make(`${script}; exec sleep 100`)
    const ended: Array<unknown> = []
    transport.onlost = (loss) => ended.push(loss)
    await transport.start()
    await until(() => messages.length > 0)
    assert.deepStrictEqual(ended, [])
  })
})
