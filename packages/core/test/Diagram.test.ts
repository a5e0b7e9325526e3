/** Holds the diagram of docs/internals/architecture.md to `Lifecycle.transition`. */
import { describe, expect, it } from "@effect/vitest"
import { Policy } from "@mcp-lifeline/core"
import { Lifecycle } from "@mcp-lifeline/core/internal"
import { Clock, Either } from "effect"
import { readFileSync } from "node:fs"
import { BackendState } from "../src/state/BackendState.js"

const { Event, State } = Lifecycle

const flags = [false, true]

const states: { readonly [S in Lifecycle.StateName]: ReadonlyArray<Lifecycle.State> } = {
  Idle: [State.Idle()],
  Connecting: flags.map((probe) => State.Connecting({ probe })),
  Connected: flags.map((replacing) => State.Connected({ replacing })),
  Reconnecting: [State.Reconnecting()],
  Dormant: [State.Dormant()],
  PermanentlyFailed: [State.PermanentlyFailed()],
  Disconnected: [State.Disconnected()],
  Disabling: flags.map((enable) => State.Disabling({ enable })),
  Disabled: [State.Disabled()],
  Closed: [State.Closed()]
}

const verdicts = ["retry", "exhausted", "permanent"] as const

const events: { readonly [E in Lifecycle.Event["_tag"]]: ReadonlyArray<Lifecycle.Event> } = {
  Demanded: [Event.Demanded()],
  Due: [Event.Due()],
  Established: [Event.Established()],
  AttemptFailed: verdicts.flatMap((verdict) => flags.map((auto) => Event.AttemptFailed({ verdict, auto }))),
  Lost: flags.flatMap((atOnce) => flags.map((auto) => Event.Lost({ atOnce, auto }))),
  Reconnect: flags.map((overlap) => Event.Reconnect({ overlap })),
  Enable: [Event.Enable()],
  Disable: [Event.Disable()],
  Disconnect: [Event.Disconnect()],
  TornDown: [Event.TornDown()],
  Released: [Event.Released()],
  Close: [Event.Close()]
}

const coded = (): ReadonlyArray<string> => {
  const edges = new Set<string>()
  for (const state of Object.values(states).flat()) {
    for (const event of Object.values(events).flat()) {
      const next = Lifecycle.transition(state, event)
      if (next !== undefined) edges.add(`${state._tag} --> ${next._tag} : ${event._tag}`)
    }
  }
  return [...edges].toSorted()
}

interface Drawn {
  readonly edges: ReadonlyArray<string>
  readonly initial: ReadonlyArray<string>
  readonly final: ReadonlyArray<string>
}

/** The edges of the diagram; one of a composite state is one of each state in it. Anything else in it is an error. */
const drawn = (): Drawn => {
  const page = readFileSync(new URL("../../../docs/internals/architecture.md", import.meta.url), "utf8")
  const diagram = /```mermaid\nstateDiagram-v2\n(.*?)```/s.exec(page)?.[1]
  if (diagram === undefined) throw new Error("docs/internals/architecture.md has no stateDiagram-v2")
  const groups = new Map<string, Array<string>>()
  const edges: Array<string> = []
  const initial: Array<string> = []
  const final: Array<string> = []
  let group: Array<string> | undefined
  for (const line of diagram.split("\n").map((text) => text.trim()).filter((text) => text !== "")) {
    const opened = /^state (\w+) \{$/.exec(line)?.[1]
    const [, from, to, label] = /^(\S+) --> (\S+)(?: : (.+))?$/.exec(line) ?? []
    if (opened !== undefined) groups.set(opened, group = [])
    else if (line === "}") group = undefined
    else if (group !== undefined && /^\w+$/.test(line)) group.push(line)
    else if (from === undefined || to === undefined) throw new Error(`not understood: ${line}`)
    else if (from === "[*]") initial.push(to)
    else if (to === "[*]") final.push(from)
    else {
      const names = (label ?? "").replaceAll(/\[[^\]]*\]/g, "").split(",").map((name) => name.trim())
      for (const one of groups.get(from) ?? [from]) {
        for (const name of names) edges.push(`${one} --> ${to} : ${name}`)
      }
    }
  }
  return { edges: edges.toSorted(), initial: initial.toSorted(), final }
}

describe("the diagram of docs/internals/architecture.md", () => {
  it("[L2] has every edge of the lifecycle, and no other", () => {
    expect(drawn().edges).toEqual(coded())
  })

  it("[L2] begins where a backend begins, and ends where nothing leads further", () => {
    const options: ReadonlyArray<Policy.LifecycleOptions> = [{}, { lazy: true }, { disabled: true }]
    const initial = options.map((lifecycle) => {
      const policy = Either.getOrThrow(Policy.decode("one", { lifecycle }))
      return new BackendState("one", policy, Clock.make()).published.value.state._tag
    })
    expect(drawn().initial).toEqual(initial.toSorted())
    const left = new Set(coded().map((edge) => edge.split(" ")[0]))
    expect(drawn().final).toEqual(Object.keys(states).filter((name) => !left.has(name)))
  })
})
