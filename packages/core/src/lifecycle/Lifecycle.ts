/** Pure and total. The diagram in docs/internals/architecture.md is tested against this table. */
import { Data } from "effect"
import type { StateName, States } from "./States.js"

export type { StateName } from "./States.js"

export type State = Data.TaggedEnum<States>

export const State = Data.taggedEnum<State>()

export type Event = Data.TaggedEnum<{
  Demanded: {}
  Due: {}
  Established: {}
  /** `exhausted`: the last attempt with backoff. `auto`: Lifeline may reconnect without a command. */
  AttemptFailed: { readonly verdict: "retry" | "exhausted" | "permanent"; readonly auto: boolean }
  /** `atOnce`: without a delay. `auto`: see `AttemptFailed`. */
  Lost: { readonly atOnce: boolean; readonly auto: boolean }
  /** `overlap`: connect before closing the old one. */
  Reconnect: { readonly overlap: boolean }
  Enable: {}
  Disable: {}
  Disconnect: {}
  TornDown: {}
  /** Unused for `idleRelease`. */
  Released: {}
  Close: {}
}>

export const Event = Data.taggedEnum<Event>()

const connecting = State.Connecting({ probe: false })
const probing = State.Connecting({ probe: true })
const disabling = State.Disabling({ enable: false })

type Rules = {
  readonly [S in StateName]: {
    readonly [E in Event["_tag"]]?: (
      state: Extract<State, { readonly _tag: S }>,
      event: Extract<Event, { readonly _tag: E }>
    ) => State | undefined
  }
}

const switchable = {
  Disable: () => disabling,
  Disconnect: () => State.Disconnected(),
  Close: () => State.Closed()
}

const startable = { ...switchable, Reconnect: () => connecting, Enable: () => connecting }
const demandable = { ...startable, Demanded: () => connecting }

const table: Rules = {
  Idle: demandable,
  Connecting: {
    ...switchable,
    Established: () => State.Connected({ replacing: false }),
    AttemptFailed: ({ probe }, { auto, verdict }) =>
      verdict === "permanent"
        ? State.PermanentlyFailed()
        : !auto
        ? State.Disconnected()
        : verdict === "exhausted" || probe
        ? State.Dormant()
        : State.Reconnecting()
  },
  Connected: {
    ...switchable,
    Established: ({ replacing }) => replacing ? State.Connected({ replacing: false }) : undefined,
    AttemptFailed: ({ replacing }) => replacing ? State.Connected({ replacing: false }) : undefined,
    Lost: ({ replacing }, { atOnce, auto }) =>
      replacing ? connecting : !auto ? State.Disconnected() : atOnce ? connecting : State.Reconnecting(),
    Reconnect: ({ replacing }, { overlap }) =>
      replacing ? undefined : overlap ? State.Connected({ replacing: true }) : connecting,
    Released: ({ replacing }) => replacing ? undefined : State.Idle()
  },
  Reconnecting: { ...demandable, Due: () => connecting },
  Dormant: { ...startable, Due: () => probing, Demanded: () => probing },
  PermanentlyFailed: demandable,
  Disconnected: { ...startable, Disconnect: () => undefined },
  Disabling: {
    Enable: ({ enable }) => enable ? undefined : State.Disabling({ enable: true }),
    Disable: ({ enable }) => enable ? disabling : undefined,
    TornDown: ({ enable }) => enable ? connecting : State.Disabled(),
    Close: () => State.Closed()
  },
  Disabled: { Enable: () => connecting, Close: () => State.Closed() },
  Closed: {}
}

/** `undefined` where the event does not apply. */
export const transition = (state: State, event: Event): State | undefined => {
  const rule = table[state._tag][event._tag] as ((state: State, event: Event) => State | undefined) | undefined
  return rule?.(state, event)
}

interface Entry {
  readonly timer?: "backoff" | "probe"
  /** After a loss to the network: the next attempt may resume it, or it ends. (T11) */
  readonly session: "kept" | "ended"
  /** A call without a connection waits (and makes or hastens the attempt), or fails (`paced`: and makes one now and then). (R8, R13) */
  readonly demand: "waits" | "connects" | "hastens" | "fails" | "paced"
  /** Shown (stale without a connection), or withdrawn. (P2) */
  readonly catalog: "shown" | "withdrawn"
  readonly meaning?: string
  /** For people and models, in place of the state and its meaning. */
  readonly plainly?: string
  /** What a program can do. */
  readonly remedy?: string
}

const disabled: Entry = {
  session: "ended",
  demand: "fails",
  catalog: "withdrawn",
  remedy: "Call enable() to use it again"
}

export const entries: { readonly [S in StateName]: Entry } = {
  Idle: { session: "ended", demand: "connects", catalog: "shown" },
  Connecting: { session: "kept", demand: "waits", catalog: "shown" },
  Connected: { session: "ended", demand: "waits", catalog: "shown" },
  Reconnecting: { timer: "backoff", session: "kept", demand: "hastens", catalog: "shown" },
  Dormant: {
    timer: "probe",
    session: "kept",
    demand: "hastens",
    catalog: "shown",
    meaning: "after many failed attempts Lifeline tries it less often, and sooner while a call waits for it"
  },
  PermanentlyFailed: {
    session: "ended",
    demand: "paced",
    catalog: "withdrawn",
    meaning: "waiting does not help",
    plainly: "cannot be connected",
    remedy: "Fix the cause, then call reconnect()"
  },
  Disconnected: {
    session: "ended",
    demand: "fails",
    catalog: "shown",
    meaning: "it does not connect automatically",
    plainly: "does not connect by itself",
    remedy: "Call reconnect() to connect again"
  },
  Disabling: { ...disabled, meaning: "it is being switched off" },
  Disabled: { ...disabled, meaning: "it is switched off" },
  Closed: {
    session: "ended",
    demand: "fails",
    catalog: "withdrawn",
    meaning: "close() was called, or its scope has ended",
    plainly: "is closed",
    remedy: "A closed one stays closed; make a new one"
  }
}

/** Time alone does not lead out of the state. */
export const isPointless = ({ _tag }: State): boolean => ["fails", "paced"].includes(entries[_tag].demand)

export const inWords = (state: string): string => {
  const meaning = Object.hasOwn(entries, state) ? entries[state as StateName].meaning : undefined
  return meaning === undefined ? state : `${state} (${meaning})`
}
