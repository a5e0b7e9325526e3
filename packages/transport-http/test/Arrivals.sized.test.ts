import { Bytes } from "@mcp-lifeline/core/text"
import { Arrivals, Oversized, Shares } from "@mcp-lifeline/protocol"
import { Cause, Effect, Exit, Fiber } from "effect"
import * as fc from "fast-check"
import { Readable } from "node:stream"
import { describe, expect, it } from "vitest"
import { bySize } from "../../testing/test/support/bySize.js"
import { Framing } from "../../transport-stdio/src/Framing.js"
import { type Answer, text } from "../src/Answer.js"
import * as EventStream from "../src/EventStream.js"

const { uncounted } = Arrivals

/** Larger than what one server may begin, and smaller than what all of them do. */
const capacity = 400 * 1024
const maxBytes = 4 * capacity

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

abstract class Stream {
  readonly server: number
  bytes = 0
  isDropped = false
  isOver = false
  readonly heard: Array<number | string> = []

  constructor(server: number) {
    this.server = server
  }

  abstract readonly head: string
  abstract push(text: string): void
  abstract complete(): void
  abstract lose(isGivenUp: boolean): void
  abstract readonly goesOn: boolean
  readonly refusal = Oversized.crowded
}

const detailOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause) as { readonly detail?: string; readonly message: string; readonly cause?: unknown }
  return error.detail ?? `${error.message} ${String(error.cause)}`
}

abstract class Body<A> extends Stream {
  protected readonly body = Object.assign(new Readable({ read: () => undefined }), { dump: () => Promise.resolve() })
  protected readonly answer: Answer = { status: 200, headers: {}, body: this.body }
  protected abstract readonly fiber: Fiber.RuntimeFiber<A, unknown>

  push(text: string): void {
    this.body.push(text)
  }

  lose(isGivenUp: boolean): void {
    if (isGivenUp) Effect.runFork(Fiber.interrupt(this.fiber))
    else this.body.destroy(new Error("reset"))
  }
}

class JsonAnswer extends Body<string> {
  readonly head = ""
  readonly goesOn = false
  protected readonly fiber: Fiber.RuntimeFiber<string, unknown>

  constructor(server: number, arrivals: Arrivals.Arrivals) {
    super(server)
    this.fiber = Effect.runFork(text(this.answer, Bytes(maxBytes), arrivals))
    this.fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) this.heard.push(exit.value.length)
      else if (!Exit.isInterrupted(exit)) this.heard.push(detailOf(exit.cause))
    })
  }

  complete(): void {
    this.body.push(null)
  }
}

class Events extends Body<EventStream.End> {
  readonly head = "data: "
  readonly goesOn = true
  protected readonly fiber: Fiber.RuntimeFiber<EventStream.End, unknown>

  constructor(server: number, arrivals: Arrivals.Arrivals) {
    super(server)
    this.fiber = Effect.runFork(EventStream.read(this.answer, { lastEventId: undefined, retry: undefined }, {
      onEvent: ({ data }) => this.heard.push(data.length + this.head.length),
      onDropped: ({ isCrowded }) => this.heard.push(isCrowded === true ? this.refusal : "too long"),
      complete: () => false,
      maxBytes: Bytes(maxBytes),
      arrivals
    }))
  }

  complete(): void {
    this.body.push("\n\n")
  }
}

class Lines extends Stream {
  readonly head = "{"
  readonly goesOn = true
  readonly #framing: Framing

  constructor(server: number, arrivals: Arrivals.Arrivals) {
    super(server)
    this.#framing = new Framing(Bytes(maxBytes), Bytes(maxBytes), arrivals.begin())
  }

  push(text: string): void {
    this.#framing.push(Buffer.from(text), (frame) =>
      this.heard.push(
        frame._tag === "Line" ? frame.text.length : frame.isCrowded === true ? this.refusal : "too long"
      ))
  }

  complete(): void {
    this.push("\n")
  }

  lose(): void {
    this.#framing.end()
  }
}

const doors = { json: JsonAnswer, events: Events, lines: Lines }

type Command =
  | { readonly do: "begin"; readonly door: keyof typeof doors; readonly server: number }
  | { readonly do: "grow"; readonly which: number; readonly bytes: number }
  | { readonly do: "complete"; readonly which: number }
  | { readonly do: "lose"; readonly which: number; readonly isGivenUp: boolean }

const which = fc.nat({ max: 100 })
const commands: fc.Arbitrary<ReadonlyArray<Command>> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("begin" as const),
        door: fc.constantFrom(...Object.keys(doors) as Array<keyof typeof doors>),
        server: fc.nat({ max: 3 })
      })
    },
    {
      weight: 10,
      arbitrary: fc.record({ do: fc.constant("grow" as const), which, bytes: fc.integer({ min: 1, max: 120 * 1024 }) })
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("complete" as const), which }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("lose" as const), which, isGivenUp: fc.boolean() }) }
  ),
  { maxLength: 60, size: "max" }
)

const counted = ({ bytes, isDropped, isOver }: Stream): number =>
  isDropped || isOver ? 0 : Math.max(0, bytes - uncounted)

const sum = (all: ReadonlyArray<Stream>): number => all.reduce((total, one) => total + counted(one), 0)

let refusals = 0

const play = async (given: ReadonlyArray<Command>): Promise<void> => {
  const room = new Shares(capacity)
  const servers = Array.from({ length: 4 }, () => new Arrivals.Arrivals(room))
  const streams: Array<Stream> = []
  const expected = new Map<Stream, Array<number | string>>()

  const grow = (one: Stream, added: number): void => {
    const before = counted(one)
    one.bytes += added
    const more = counted(one) - before
    const own = sum(streams.filter(({ server }) => server === one.server))
    // The rule of shares: nobody has more than is then left for others.
    if (one.isDropped || more === 0 || own <= capacity - sum(streams)) return
    one.isDropped = true
    refusals++
    if (!one.goesOn) {
      expected.get(one)!.push(one.refusal)
      one.isOver = true
    }
  }

  for (const command of given) {
    if (command.do === "begin") {
      const one = new doors[command.door](command.server, servers[command.server]!)
      streams.push(one)
      expected.set(one, [])
      // A stream begins to flow in a later step.
      await tick()
    } else {
      const alive = streams.filter(({ isOver }) => !isOver)
      const one = alive[command.which % Math.max(1, alive.length)]
      if (one === undefined) continue
      if (command.do === "grow") {
        const text = (one.bytes === 0 ? one.head : "") + "x".repeat(command.bytes)
        grow(one, text.length)
        one.push(text)
      } else if (command.do === "complete") {
        if (one.bytes === 0) continue
        expected.get(one)!.push(one.isDropped ? one.refusal : one.bytes)
        one.complete()
        one.bytes = 0
        one.isDropped = false
        one.isOver = !one.goesOn
      } else {
        if (one instanceof JsonAnswer && !command.isGivenUp) expected.get(one)!.push("reset")
        one.lose(command.isGivenUp)
        one.isOver = true
      }
      await tick()
    }
    expect(room.total).toBe(sum(streams))
    for (const one of streams) expect(one.heard.map(shortened)).toEqual(expected.get(one))
  }
  for (const one of streams.filter(({ isOver }) => !isOver)) one.lose(true)
  await tick()
  expect(room.total).toBe(0)
  for (const server of servers) expect(room.heldBy(server)).toBe(0)
}

const shortened = (heard: number | string): number | string =>
  typeof heard === "string" && heard.includes("reset") ? "reset" : heard

describe("what servers have begun to send", () => {
  it(
    "[X5 T12] has one limit over all servers and doors: what exceeds it fails alone, and everything that ends gives its room back",
    async () => {
      await fc.assert(fc.asyncProperty(commands, play), { numRuns: bySize(40, 500) })
      expect(refusals).toBeGreaterThan(10)
    },
    120_000
  )

  it("[X5 T12] counts an event of several lines until it ends, and neither comments nor what has no event", async () => {
    const room = new Shares(capacity)
    const stream = new Events(0, new Arrivals.Arrivals(room))
    await tick()
    const kept = async (text: string): Promise<number> => {
      stream.push(text)
      await tick()
      return room.total
    }
    const line = `data: ${"x".repeat(1017)}\n`
    expect(await kept(line.repeat(64))).toBe(64 * 1024 - uncounted)
    expect(await kept(":a comment\r\n")).toBe(64 * 1024 - uncounted)
    expect(await kept("data: y")).toBe(64 * 1024 + 7 - uncounted)
    expect(await kept("\n\n")).toBe(0)
    expect(stream.heard).toHaveLength(1)
    for (let i = 0; i < 5000; i++) stream.push(": beat\n")
    expect(await kept("\n")).toBe(0)
    // More than there is room for ends the stream: the parser has no way to drop an event that it has begun.
    expect(await kept(line.repeat(capacity / 1024))).toBe(0)
  })
})
