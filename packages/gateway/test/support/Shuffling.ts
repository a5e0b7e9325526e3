import { TransportConnector } from "@mcp-lifeline/protocol"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"

type Entry = Readonly<Record<string, unknown>>

const schema = (nth: number) => ({
  type: "object",
  properties: { path: { type: "string", description: `of ${nth}` }, depth: { type: "integer", minimum: nth } },
  required: ["path"],
  additionalProperties: false
})

const many = <A>(count: number, make: (nth: number) => A): Array<A> =>
  Array.from({ length: count }, (_, nth) => make(nth))

const lists = (name: string): Record<string, { readonly field: string; readonly entries: Array<Entry> }> => ({
  "tools/list": {
    field: "tools",
    entries: many(7, (nth) => ({
      name: `${name}-tool-${nth}`,
      title: `Tool ${nth}`,
      description: `what ${nth} does`,
      inputSchema: schema(nth),
      annotations: { readOnlyHint: nth % 2 === 0, title: "t" },
      ...(nth === 3 ? { execution: { taskSupport: "required", other: 1 } } : {}),
      _meta: { "ui/resourceUri": `ui://${name}/${nth}`, more: { a: 1, b: [nth] } }
    }))
  },
  "prompts/list": {
    field: "prompts",
    entries: many(4, (nth) => ({
      name: `prompt-${nth}`,
      description: "p",
      arguments: [{ name: "a", required: true, description: "first" }]
    }))
  },
  "resources/list": {
    field: "resources",
    // The servers offer some of the same addresses.
    entries: many(5, (nth) => ({ uri: nth < 2 ? `same://${nth}` : `own://${name}/${nth}`, name: `r${nth}`, size: nth }))
  },
  "resources/templates/list": {
    field: "resourceTemplates",
    entries: many(3, (nth) => ({ uriTemplate: `note://${name}/${nth}/{id}`, name: `n${nth}`, mimeType: "text/plain" }))
  }
})

/** Mulberry32. */
export const random = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const shuffled = <A>(all: ReadonlyArray<A>, draw: () => number): Array<A> =>
  all.map((one) => [draw(), one] as const).toSorted(([a], [b]) => a - b).map(([, one]) => one)

const withShuffledKeys = (value: unknown, draw: () => number): unknown => {
  if (Array.isArray(value)) return value.map((one) => withShuffledKeys(one, draw))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    shuffled(Object.entries(value), draw).map(([key, one]) => [key, withShuffledKeys(one, draw)])
  )
}

/** A server that gives the same lists each time, but in another order: of entries, keys and pages, with other cursors. */
export class Shuffling {
  readonly name: string
  readonly lists: ReturnType<typeof lists>
  readonly #draw: () => number
  readonly #open = new Set<Transport>()
  #waiting: Array<() => void> | undefined
  /** How many lists were read to their end since the last start. */
  read = 0
  hasBegun = false
  /** Orders in which the tools came. */
  readonly orders = new Set<string>()

  constructor(name: string, seed: number) {
    this.name = name
    this.lists = lists(name)
    this.#draw = random(seed)
  }

  /** What connects waits until `start`. */
  stop(): void {
    this.read = 0
    this.hasBegun = false
    this.#waiting ??= []
    for (const one of [...this.#open]) one.onclose?.()
    this.#open.clear()
  }

  start(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const go of waiting) go()
  }

  readonly transport = (): Transport => {
    const pages = new Map<string, object>()
    const one: Transport = {
      start: () => {
        this.#open.add(one)
        return new Promise((resolve) => this.#waiting === undefined ? resolve() : this.#waiting.push(resolve))
      },
      close: async () => {
        if (this.#open.delete(one)) one.onclose?.()
      },
      send: async (message) => {
        const { id, method, params } = message as never as { id?: number; method: string; params: any }
        if (id === undefined) return
        const result = JSON.parse(JSON.stringify(this.#answer(method, params, pages))) as never
        setImmediate(() => one.onmessage?.({ jsonrpc: "2.0", id, result } as JSONRPCMessage))
      }
    }
    return one
  }

  readonly connector = TransportConnector.make({ transport: this.transport, target: "shuffling" })

  #answer(method: string, params: any, pages: Map<string, object>): object {
    const list = this.lists[method]
    if (method === "initialize") {
      this.hasBegun = true
      const changing = { listChanged: true }
      const capabilities = { tools: changing, prompts: changing, resources: changing }
      return { protocolVersion: params.protocolVersion, capabilities, serverInfo: { name: this.name, version: "1" } }
    }
    if (list === undefined) return {}
    const draw = this.#draw
    const page = params?.cursor === undefined ? this.#first(list, pages, draw) : pages.get(params.cursor) ?? {}
    if (!("nextCursor" in page)) this.read++
    return page
  }

  #first({ entries, field }: (typeof this.lists)[string], pages: Map<string, object>, draw: () => number): object {
    const left = shuffled(entries.map((entry) => withShuffledKeys(entry, draw)), draw)
    if (field === "tools") this.orders.add(JSON.stringify(left))
    const divided: Array<ReadonlyArray<unknown>> = []
    while (left.length > 0) divided.push(left.splice(0, draw() < 0.5 ? left.length : 1 + Math.floor(3 * draw())))
    const cursors = divided.map(() => `${Math.floor(2 ** 40 * draw())}`)
    const made = divided.map((entries, nth) =>
      withShuffledKeys({
        [field]: entries,
        _meta: { server: this.name, kind: field },
        ...(nth + 1 < divided.length ? { nextCursor: cursors[nth + 1] } : {})
      }, draw) as object
    )
    for (const [nth, page] of made.entries()) if (nth > 0) pages.set(cursors[nth]!, page)
    return made[0]!
  }
}
