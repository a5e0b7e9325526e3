/** What takes a text of others takes CPU time in proportion to its length, whatever the text is. Regular expressions: LinearText.test.ts. */
import { Bytes, ExactJson } from "@mcp-lifeline/core/internal"
import * as Arrival from "@mcp-lifeline/http-server/Arrival"
import * as Authentication from "@mcp-lifeline/http-server/Authentication"
import * as Body from "@mcp-lifeline/http-server/Body"
import * as Guard from "@mcp-lifeline/http-server/Guard"
import { decodeIds } from "@mcp-lifeline/http-server/messages"
import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import { IdScanner, JsonRpc, Pieces } from "@mcp-lifeline/protocol"
import { Framing } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import type { IncomingMessage } from "node:http"
import { BlockList } from "node:net"
import { PassThrough } from "node:stream"
import { describe, expect, it } from "vitest"
import * as Expansion from "../../config/src/Expansion.js"
import * as LifelineCommand from "../../config/src/LifelineCommand.js"
import * as ServerName from "../../config/src/ServerName.js"
import * as ToolSwitches from "../../config/src/ToolSwitches.js"
import * as Template from "../../core/src/catalog/Template.js"
import * as Names from "../../core/src/fleet/names.js"
import * as PlainText from "../../core/src/observe/PlainText.js"
import * as ToolPattern from "../../core/src/options/ToolPattern.js"
import { difference } from "../../core/src/pins/difference.js"
import * as UriForms from "../../core/src/state/uriForms.js"
import * as Headers from "../../http-server/src/Headers.js"
import * as Challenge from "../../sign-in/src/Challenge.js"
import * as Failures from "../../sign-in/src/Failures.js"
import * as Metadata from "../../sign-in/src/Metadata.js"
import { page } from "../../sign-in/src/page.js"
import * as Scopes from "../../sign-in/src/scopes.js"
import * as AddressKind from "../../transport-http/src/AddressKind.js"
import * as Answer from "../../transport-http/src/Answer.js"
import { EventLines } from "../../transport-http/src/EventLines.js"
import * as EventStream from "../../transport-http/src/EventStream.js"
import * as FailureText from "../../transport-http/src/FailureText.js"
import * as HttpFailure from "../../transport-http/src/HttpFailure.js"
import * as ParameterHeaders from "../../transport-http/src/ParameterHeaders.js"
import * as RequestHeaders from "../../transport-http/src/RequestHeaders.js"
import * as Secrets from "../../transport-stdio/src/Secrets.js"
import * as SpawnFailure from "../../transport-stdio/src/SpawnFailure.js"
import { StderrTail } from "../../transport-stdio/src/StderrTail.js"
import * as McpJson from "../src/config/McpJson.js"
import * as Advice from "../src/conversation/Advice.js"
import * as Json from "../src/document/Json.js"
import * as Toml from "../src/document/Toml.js"
import { Unreadable } from "../src/document/Tree.js"
import * as Instructions from "../src/serve/Instructions.js"
import * as Lines from "../src/serve/Lines.js"
import { masked } from "../src/wrap/masked.js"

/** What a text consists of, again and again. */
const units = [
  ..."{[(<\"'\\%/.:;,=?&#@-_ a1\t\n\r\u0000\u009b\u00e9\u2028\ud83d",
  "{a}",
  "${",
  "${a:-",
  "\u001b[",
  "\u001b]",
  "\u001b]0;",
  "\u009b;?",
  "\ud83d\ude00",
  "%25",
  '\\"',
  "\r\n",
  "data:\n",
  "data: a\r",
  "id: 1\n\n",
  ":\r",
  "a=b ",
  "a, ",
  "//",
  "/*",
  "eyJ-",
  "eyJa.",
  "Bearer ",
  ' scope="',
  "-----BEGIN ",
  "-----BEGIN PRIVATE KEY",
  ". Call ",
  " is PermanentlyFailed (",
  ", or pass idempotent: true ",
  '{"id":',
  '"id":1,'
]

/** Those that are tried at the greater length, too: there a text is what a function has in pieces, whatever they consist of. */
const common = ["a", '"id":1,']

/** What stands before and after them. */
const frames = [["", ""], ['"', "\u0001"], ['{"a":"', ""]] as const

/** Gives a text in small pieces, as a slow connection does. */
const inPieces = (text: string, push: (piece: Buffer) => void): void => {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += 100) push(bytes.subarray(at, at + 100))
}

/** Not YAML, whose parser is not ours: only `adopt` reads it, from files of the user. */
const syntaxes = { Json: Json.syntax, Toml: Toml.syntax }
const sealed = SealedId.make(SealedId.randomSecret())
const target = { cwd: undefined, show: (text: string) => text, showArgs: (args: ReadonlyArray<string>) => args }
const rules: Guard.Rules = { host: "127.0.0.1" }
const proxies = new BlockList()
proxies.addSubnet("127.0.0.0", 8)

/** What takes a text of others, by its name. */
const subjects: Readonly<Record<string, (text: string) => unknown>> = {
  "PlainText.line": PlainText.line,
  "PlainText.lines": PlainText.lines,
  "PlainText.coloured": PlainText.coloured,
  "PlainText.json": PlainText.json,
  "PlainText.cut": (text) => PlainText.cut(text, text.length - 1),
  "difference, a text and a name": (text) => [
    difference(JSON.stringify({ description: text }), JSON.stringify({ description: `${text}.` })),
    difference("{}", JSON.stringify({ [text]: { [text]: text } }))
  ],
  "names.fullName": (text) => [Names.fullName("raw", text), Names.fullName(text, "x"), Names.otherName("raw", text)],
  "names.mayName": (text) => [Names.mayName("raw", text), Names.mayName(text, text), Names.isReserved("tools", text)],
  "names.scopedUri": (text) => Names.scopedUri("raw", text),
  "names.parseScopedUri": (text) => [Names.parseScopedUri(text), Names.parseScopedUri(`lifeline://raw/${text}`)],
  "names.backendSaid": (text) => [Names.backendSaid("tools", text), Names.backendSaid("resources", text)],
  "Template.matches, the template": (text) => [Template.matches(text, "x:abc"), Template.prefixOf(text)],
  "Template.matches, both": (text) => Template.matches(text, text.slice(0, 16_384)),
  "Template.matches, the URI": (text) => Template.matches("a{b}a{c}{d}a", text.slice(0, 16_384)),
  "uriForms": (text) => [UriForms.of(text), UriForms.of(`file://${text}`), UriForms.plainPattern(`https://h/${text}`)],
  "ToolSwitches": (text) => ToolSwitches.hidden({ [text]: false, [`*${text}`]: true, "a*": false }, text.slice(0, 200)),
  "ToolPattern": (text) => ["a*a*b", "*{?*}x", `*${text.slice(0, 16)}*x`].map((one) => ToolPattern.matches(one, text)),
  "ExactJson": (text) => ExactJson.parse(`{"a":[1.0,${JSON.stringify(text)},1e400]}`),
  "IdScanner": (text) => new IdScanner().push(Buffer.from(text)),
  "JsonRpc.read": (text) => [JsonRpc.read({ jsonrpc: "2.0", id: text, method: text }), JsonRpc.read(text)],
  "Pieces": (text) => {
    const pieces = new Pieces()
    inPieces(text, (piece) => pieces.push(piece))
    return pieces.take()
  },
  "Framing": (text) => {
    const framing = new Framing(Bytes(16 * 1024 * 1024), Bytes(16 * 1024 * 1024))
    framing.push(Buffer.from(text), () => undefined)
    inPieces(text, (piece) => framing.push(piece, () => undefined))
    return framing.begun
  },
  "Framing, past its limit": (text) => {
    const framing = new Framing(Bytes(1000), Bytes(1000))
    inPieces(text, (piece) => framing.push(piece, () => undefined))
    return framing.begun
  },
  "StderrTail": (text) => {
    const tail = new StderrTail(Secrets.collect({ TOKEN: "aaaaaaaaaaaaaaaaaaaab" }), () => undefined)
    tail.push(Buffer.from(text))
    inPieces(text, (piece) => tail.push(piece))
    tail.end()
    return tail.text
  },
  "Secrets.mask": (text) => Secrets.mask(["aaaaaaaaaaaaaaaaab"], text),
  "Secrets.maskCut": (text) => Secrets.maskCut(["aaaaaaaaaaaaaaaaab"], text),
  "Secrets.args": (text) => [Secrets.args([], ["--x", text]), Secrets.collect({}, [text])],
  "SpawnFailure": (text) => SpawnFailure.make({ code: "ENOENT" }, { ...target, command: text }),
  "EventLines": (text) => {
    const lines = new EventLines(Bytes(16 * 1024 * 1024))
    inPieces(text, (piece) => lines.push(piece, () => undefined, () => undefined))
  },
  "EventLines, past its limit": (text) => {
    const lines = new EventLines(Bytes(1000))
    inPieces(text, (piece) => lines.push(piece, () => undefined, () => undefined))
  },
  "EventStream": (text) => {
    const body = new PassThrough()
    const read = EventStream.read(
      { status: 200, headers: {}, body: body as unknown as Answer.Body },
      { lastEventId: undefined, retry: undefined },
      { onEvent: () => undefined, onDropped: () => undefined, complete: () => false, maxBytes: Bytes(16 * 1024 * 1024) }
    )
    Effect.runFork(read)
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += 65_536) body.emit("data", bytes.subarray(at, at + 65_536))
    body.destroy()
  },
  "Answer.mediaType": (text) =>
    Answer.mediaType({ status: 200, headers: { "content-type": text }, body: new PassThrough() as never }),
  "FailureText": (text) => [
    FailureText.describe(new HttpFailure.AnswerFailure({ detail: text })),
    FailureText.describe(HttpFailure.fromNetwork(Object.assign(new Error(text), { code: text }))),
    FailureText.describe(new HttpFailure.RedirectFailure({ status: 302, to: text, why: "origin" })),
    HttpFailure.oneLine(text),
    HttpFailure.retryAfter(text, 0)
  ],
  "AddressKind": (text) => [AddressKind.ofHost(text), AddressKind.ofAddress(text)],
  "RequestHeaders.value": RequestHeaders.value,
  "ParameterHeaders.declarations": ({ length }) =>
    ParameterHeaders.declarations({
      properties: Object.fromEntries(
        Array.from(
          { length: length / 50 },
          (_, index) => [`p${index}`, { type: "string", "x-mcp-header": `h${index}` }]
        )
      )
    }),
  "Advice": (text) =>
    [undefined, "BackendUnavailable", "ResultUnknown"].map((tag) =>
      Advice.advised("raw", { code: -32_000, message: text, data: { tag, state: text } }, undefined, "serve")
    ).concat(Advice.withoutOptions(text) as never),
  "masked": (text) => [masked({ a: text }), masked({ [text]: "x" })],
  "Challenge.read": (text) => [
    Challenge.read({ status: 401, challenge: text } as never),
    Challenge.read({ status: 401, challenge: `Bearer scope="${text}` } as never)
  ],
  "scopes": (text) => [Scopes.split(text), Scopes.covers(text, text)],
  "Failures.quoted": Failures.quoted,
  "Metadata.isSameIssuer": (text) => Metadata.isSameIssuer(text, `${text}/`),
  "page": (text) => page(text, true),
  "Headers": (text) => [
    Headers.checkPost({ accept: text, "content-type": text }),
    Headers.checkPost({ accept: "*/*", "content-type": `application/json${text}` }),
    Headers.checkVersion(text),
    Headers.checkStateless(
      {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": `=?base64?${text}?=`
      },
      { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: text } },
      "2026-07-28"
    )
  ],
  "Guard": (text) => [
    Authentication.bearer(text),
    Authentication.bearer(`Bearer ${text}`),
    Guard.check({ host: text }, rules),
    Guard.check({ host: "localhost", origin: text }, rules),
    Guard.checkAction({ host: text, origin: text, "content-type": text }, false),
    Guard.checkRaw([text, text])
  ],
  "Arrival": (text) =>
    [{ forwarded: text }, { forwarded: `for="${text}` }, { "x-forwarded-for": text, "x-forwarded-host": text }].map((
      headers
    ) => Arrival.find({ headers, socket: { remoteAddress: "127.0.0.1" } } as never, proxies)),
  "Body": (text) => {
    const request = new PassThrough()
    Body.read(request as unknown as IncomingMessage, Bytes(16 * 1024 * 1024), () => undefined)
    inPieces(text, (piece) => request.emit("data", piece))
    request.emit("end")
  },
  "Body, past its limit": (text) => {
    const request = new PassThrough()
    Body.read(request as unknown as IncomingMessage, Bytes(1000), () => undefined)
    inPieces(text, (piece) => request.emit("data", piece))
    request.emit("end")
  },
  "decodeIds": decodeIds,
  "SealedId": (text) => sealed.open(text),
  "Instructions": (text) => Instructions.join([{ server: "raw", instructions: text }], text),
  "Lines": (text) => Lines.show(0, text, text),
  "LifelineCommand": (text) => [
    LifelineCommand.of(["sh", "-c", `x ${text}`]),
    LifelineCommand.shellWords(text),
    LifelineCommand.keptReferences(["mcp-lifeline", "wrap", text, `--header=${text}`], () => true)
  ],
  "Expansion": (text) => Expansion.expand(text, { variables: {}, bare: true }, () => undefined),
  "ServerName": (text) => [ServerName.ofCommand("npx", [text]), ServerName.ofCommand(text, []), ServerName.ofUrl(text)],
  "McpJson": (text) => McpJson.parse("/x/mcp.json", text, {}),
  ...Object.fromEntries(
    Object.entries(syntaxes).map(([name, syntax]) => [`document/${name}`, (text: string) => {
      try {
        syntax.value(text)
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error
      }
    }])
  )
}

/** CPU time of this process in milliseconds, the least of so many times: others may use it, too. */
const costs = (work: () => unknown, times: number): number =>
  Math.min(...Array.from({ length: times }, () => {
    const before = process.cpuUsage()
    work()
    const { system, user } = process.cpuUsage(before)
    return (system + user) / 1000
  }))

/**
 * What each length may cost without a second look, in milliseconds. At the first, one step for each pair of characters takes more, even if
 * the processor takes sixteen characters in one; at the second, one step for each pair of pieces does.
 */
const rounds = [
  { length: 65_536, usual: 25, units, frames: frames.slice(0, 1) },
  { length: 65_536, usual: 25, units: common, frames: frames.slice(1) },
  { length: 1_048_576, usual: 600, units: common, frames: frames.slice(0, 1) }
] as const

/** Whether four times the length costs more than eight times as much: sixteen times, if it is quadratic. For what is quick at this length. */
const growsFurther = (run: (text: string) => unknown, make: (length: number) => string, length: number): boolean => {
  const [text, longer] = [make(length), make(4 * length)]
  return costs(() => run(longer), 3) > 8 * costs(() => run(text), 9)
}

/** Whether sixteen times the length costs much more than sixteen times as much: 256 times, if it is quadratic. */
const isSuperlinear = (run: (text: string) => unknown, make: (length: number) => string, length: number): boolean => {
  const [short, long] = [make(length / 16), make(length)]
  let cost = 0
  // What others have left may be collected at any time, and more than once; and they take the processor's caches.
  for (let looks = 0; looks < 5; looks++) {
    cost = costs(() => run(long), 3)
    if (cost <= 64 * Math.max(0.4, costs(() => run(short), 5))) return false
  }
  // Short texts fit into the processor's caches, so a linear function may seem not to be one.
  return cost > 300 || growsFurther(run, make, length)
}

describe("functions that take a text of others", () => {
  it.each(Object.keys(subjects))("[X1:unit] %s takes time in proportion to its length", (name) => {
    const run = subjects[name]!
    for (const { frames, length, units, usual } of rounds) {
      const found = units.flatMap((unit) =>
        frames.flatMap(([before, after]) => {
          const make = (length: number): string => before + unit.repeat(length / unit.length) + after
          const text = make(length)
          const isSlow = costs(() => run(text), 1) > usual && isSuperlinear(run, make, length)
          return isSlow ? [JSON.stringify([before, unit, after])] : []
        })
      )
      // At the next length it would take minutes.
      expect(found).toEqual([])
    }
  })

  it("[X1:unit] one that does not is found", () => {
    const quadratic = (text: string): number => Array.from(text, (_, at) => text.indexOf("}", at)).length
    expect(isSuperlinear(quadratic, (length) => "{".repeat(length), 262_144)).toBe(true)
    expect(isSuperlinear((text) => text.indexOf("}"), (length) => "{".repeat(length), 262_144)).toBe(false)
    const searches = (text: string): number => {
      let sum = 0
      for (let at = 0; at < text.length; at++) sum += text.indexOf("}", at)
      return sum
    }
    for (const [run, expected] of [[searches, true], [(text: string) => text.replaceAll("{", "}"), false]] as const) {
      expect(growsFurther(run, (length) => "{".repeat(length), 65_536)).toBe(expected)
    }
  })
})
