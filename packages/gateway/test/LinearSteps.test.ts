/** What takes a text of others takes steps in proportion to its length. A step is a character or byte that a method of the platform looks at or copies. */
import { Bytes, ExactJson } from "@mcp-lifeline/core/text"
import * as Arrival from "@mcp-lifeline/http-server/Arrival"
import * as Authentication from "@mcp-lifeline/http-server/Authentication"
import * as Body from "@mcp-lifeline/http-server/Body"
import * as Guard from "@mcp-lifeline/http-server/Guard"
import { decodeIds } from "@mcp-lifeline/http-server/messages"
import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import { JsonRpc, JsonScanner, Messages, Pieces } from "@mcp-lifeline/protocol"
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
import * as Tools from "../../core/src/options/Tools.js"
import { FilteredUris } from "../../extensions/src/filters/FilteredUris.js"
import * as ListFilter from "../../extensions/src/filters/ListFilter.js"
import { difference } from "../../extensions/src/pins/difference.js"
import * as Headers from "../../http-server/src/Headers.js"
import { isSameIssuer } from "../../sign-in/src/addresses.js"
import * as Challenge from "../../sign-in/src/Challenge.js"
import * as Failures from "../../sign-in/src/Failures.js"
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
import * as Lines from "../src/log/Lines.js"
import * as Instructions from "../src/pool/Instructions.js"

const units = [
  ..."{[(<\"'\\%/.:;,=?&#@-_ a1\t\n\r\u0000\u009b\u00e9\u2028\ud83d",
  ...["{a}", "${", "${a:-", "\u001b[", "\u001b]", "\u001b]0;", "\u009b;?", "\ud83d\ude00", "%25", '\\"', "\r\n"],
  ...["data:\n", "data: a\r", "id: 1\n\n", ":\r", "a=b ", "a, ", "//", "/*", "eyJ-", "eyJa.", "Bearer ", ' scope="'],
  ...["-----BEGIN ", "-----BEGIN PRIVATE KEY", ". Call ", " is PermanentlyFailed (", ", or pass idempotent: true "],
  ...['{"id":', '"id":1,']
]

const common = ["a", '"id":1,']

const frames = [["", ""], ['"', "\u0001"], ['{"a":"', ""]] as const

const inPieces = (text: string, push: (piece: Buffer) => void): void => {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += 20) push(bytes.subarray(at, at + 20))
}

/** Not YAML, whose parser is not ours: only `adopt` reads it, from files of the user. */
const syntaxes = { Json: Json.syntax, Toml: Toml.syntax }
const sealed = SealedId.make(SealedId.randomSecret())
const target = { cwd: undefined, show: (text: string) => text, showArgs: (args: ReadonlyArray<string>) => args }
const rules: Guard.Rules = { host: "127.0.0.1" }
const proxies = new BlockList()
proxies.addSubnet("127.0.0.0", 8)

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
  "FilteredUris": (text) => {
    const filtered = new FilteredUris(ListFilter.decode({ hide: [text.slice(0, 200)], only: ["*"] }))
    return [text, `file:///${text}`, `https://h/${text}`].map((uri) => filtered.has(uri.slice(0, 16_384), undefined))
  },
  "ToolSwitches": (text) => ToolSwitches.hidden({ [text]: false, [`*${text}`]: true, "a*": false }, text.slice(0, 200)),
  "Tools": (text) => ["a*a*b", "*{?*}x", `*${text.slice(0, 16)}*x`].map((one) => Tools.matches(one, text)),
  "ExactJson": (text) => ExactJson.parse(`{"a":[1.0,${JSON.stringify(text)},1e400]}`),
  "JsonScanner": (text) => new JsonScanner().push(Buffer.from(text)),
  "Messages.read": (text) =>
    [text, `{"id":${text}`, text.replaceAll(text.slice(0, 1), '{"id":'), `{"id":1}`.repeat(text.length / 8)].map((
      one
    ) => Messages.read(one)),
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
    ),
  "Challenge.read": (text) => [
    Challenge.read({ status: 401, challenge: text } as never),
    Challenge.read({ status: 401, challenge: `Bearer scope="${text}` } as never)
  ],
  "scopes": (text) => [Scopes.split(text), Scopes.covers(text, text)],
  "Failures.quoted": Failures.quoted,
  "isSameIssuer": (text) => isSameIssuer(text, `${text}/`),
  "page": (text) => page(text, true),
  "Headers": (text) => [
    Headers.checkPost({ accept: text, "content-type": text }),
    Headers.checkPost({ accept: "*/*", "content-type": `application/json${text}` }),
    Headers.checkVersion(text),
    Headers.checkStateless(
      { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": `=?base64?${text}?=` },
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

type Owner = Record<string, (...args: ReadonlyArray<unknown>) => unknown>
/** What a call of a method costs: from itself, its arguments and its result, and where an expression began. */
type Cost = (self: never, args: ReadonlyArray<never>, result: never, start: number) => number

const all: Cost = (self: { readonly length: number }) => self.length
const search: Cost = (
  self: { readonly length: number },
  [, from = 0]: ReadonlyArray<number>,
  result: number | boolean
) => typeof result === "number" && result >= 0 ? result - from : self.length - from
const made: Cost = (_, __, result: { readonly length: number } | undefined) => result?.length ?? 0

/** The methods of the platform that look at texts and bytes, or copy them. A search with an expression calls its `exec`. */
const methods: ReadonlyArray<readonly [owner: object, names: string, cost: Cost]> = [
  [String.prototype, "lastIndexOf trim trimStart trimEnd toLowerCase toUpperCase normalize toWellFormed", all],
  [String.prototype, "indexOf includes", search],
  [
    String.prototype,
    "split replace replaceAll",
    (self: string, [by]: ReadonlyArray<unknown>) => typeof by === "string" ? self.length : 0
  ],
  [
    RegExp.prototype,
    "exec",
    (self: RegExp, [text]: ReadonlyArray<string>, result: RegExpExecArray | null, start) =>
      result !== null ? result.index + result[0].length - start : self.sticky ? 1 : String(text).length - start
  ],
  [Array.prototype, "concat includes indexOf slice splice shift unshift", all],
  [Uint8Array.prototype, "indexOf includes slice", search],
  [Buffer.prototype, "indexOf includes", search],
  [Buffer.prototype, "toString", made],
  [Buffer.prototype, "copy", (_, __, copied: number) => copied],
  [Buffer, "concat from", made],
  [JSON, "parse", (_, [text]: ReadonlyArray<string>) => String(text).length],
  [JSON, "stringify", made]
]

const stepsOf = (work: () => unknown): number => {
  let steps = 0
  const restore = methods.flatMap(([owner, names, cost]) =>
    names.split(" ").map((name) => {
      const own = (owner as Owner)[name]!
      Object.defineProperty(owner, name, {
        configurable: true,
        writable: true,
        value: function(this: never, ...args: Array<never>) {
          const start = Number((this as { readonly lastIndex?: number } | undefined)?.lastIndex ?? 0)
          const result = own.apply(this, args) as never
          steps += 1 + Math.max(0, cost(this, args, result, start))
          return result
        }
      })
      return () => Object.defineProperty(owner, name, { configurable: true, writable: true, value: own })
    })
  )
  try {
    work()
  } finally {
    for (const undo of restore) undo()
  }
  return steps
}

const length = 16_384
/** The most steps for each character: what takes one for each pair of characters takes some thousand. */
const most = 256

const texts = [
  ...units.map((unit) => ["", unit, ""] as const),
  ...frames.flatMap(([before, after]) => common.map((unit) => [before, unit, after] as const))
]

const tooMany = (run: (text: string) => unknown, some = texts): ReadonlyArray<string> =>
  some.flatMap(([before, unit, after]) => {
    const text = before + unit.repeat(length / unit.length) + after
    const steps = stepsOf(() => run(text))
    return steps > most * length ? [`${JSON.stringify([before, unit, after])}: ${Math.round(steps / length)}`] : []
  })

describe("functions that take a text of others", () => {
  it.each(Object.keys(subjects))("[X1:unit] %s takes steps in proportion to its length", (name) => {
    expect(tooMany(subjects[name]!)).toEqual([])
  })

  it.each<readonly [string, (text: string) => unknown]>([
    ["searches from each place", (text) => Array.from(text, (_, at) => text.indexOf("}", at))],
    ["copies what is there for each piece", (text) => {
      let kept = Buffer.alloc(0)
      inPieces(text, (piece) => kept = Buffer.concat([kept, piece]))
    }],
    ["looks for each again with an expression", (text) =>
      [...text].map((_, at) => {
        const expression = /\}/g
        expression.lastIndex = at
        return expression.exec(text)
      })],
    ["reads all again for each piece", (text) => {
      let kept = ""
      inPieces(text, (piece) => kept = `${kept}${piece.toString()}`.trim())
    }],
    ["looks through a list for each", (text) => {
      const list: Array<string> = []
      for (const one of text) if (!list.includes(`${one}${list.length}`)) list.push(`${one}${list.length}`)
    }]
  ])("[X1:unit] one that %s is found", (_, run) => {
    expect(tooMany(run, [["", "a", ""]])).not.toEqual([])
  })
})
