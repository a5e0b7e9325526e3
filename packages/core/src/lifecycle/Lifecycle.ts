/**
 * The lifecycle of a backend as a pure, total function from a state and an event to the next state.
 *
 * If the table has no rule for an event in a state, the result is a refusal, not an exception. The diagram in
 * docs/internals/architecture.md is tested against this table.
 */
import { Data } from "effect"
import type { StateName, States } from "./States.js"

export type { StateName } from "./States.js"

/** The state of a backend. */
export type State = Data.TaggedEnum<States>

/** Constructors of states. */
export const State = Data.taggedEnum<State>()

/** What can happen to a backend. */
export type Event = Data.TaggedEnum<{
  /** A call asks for a connection. */
  Demanded: {}
  /** The next attempt is due: the backoff, or the time between the attempts of a Dormant backend, is over. */
  Due: {}
  /** The attempt in progress has made a connection. */
  Established: {}
  /** The attempt in progress has failed. `exhausted`: it was the last one with backoff. `auto`: Lifeline may reconnect without a command. */
  AttemptFailed: { readonly verdict: "retry" | "exhausted" | "permanent"; readonly auto: boolean }
  /** The connection was lost. `atOnce`: the next attempt needs no delay. `auto`: Lifeline may reconnect without a command. */
  Lost: { readonly atOnce: boolean; readonly auto: boolean }
  /** A command. `overlap`: make the new connection before closing the old one. */
  Reconnect: { readonly overlap: boolean }
  Enable: {}
  Disable: {}
  Disconnect: {}
  /** Everything that Disable had to close is closed or abandoned. */
  TornDown: {}
  /** Nobody has used the connection for `idleRelease`. */
  Released: {}
  /** The scope of the backend closes. */
  Close: {}
}>

/** Constructors of events. */
export const Event = Data.taggedEnum<Event>()

/** The result of an event: the next state, or a refusal if the event has no meaning in this state. */
export type Transition =
  | { readonly _tag: "Accepted"; readonly state: State }
  | { readonly _tag: "Refused"; readonly state: State; readonly event: Event }

const connecting = State.Connecting({ probe: false })
const disabling = State.Disabling({ enable: false })

type Rules = {
  readonly [S in StateName]: {
    readonly [E in Event["_tag"]]?: (
      state: Extract<State, { readonly _tag: S }>,
      event: Extract<Event, { readonly _tag: E }>
    ) => State | undefined
  }
}

/** The rules of all states except Disabling, Disabled and Closed. */
const switchable = {
  Disable: () => disabling,
  Disconnect: () => State.Disconnected(),
  Close: () => State.Closed()
}

const table: Rules = {
  Idle: {
    ...switchable,
    Demanded: () => connecting,
    Reconnect: () => connecting,
    Enable: () => connecting
  },
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
  Reconnecting: {
    ...switchable,
    Due: () => connecting,
    Demanded: () => connecting,
    Reconnect: () => connecting,
    Enable: () => connecting
  },
  Dormant: {
    ...switchable,
    Due: () => State.Connecting({ probe: true }),
    Demanded: () => State.Connecting({ probe: true }),
    Reconnect: () => connecting,
    Enable: () => connecting
  },
  PermanentlyFailed: {
    ...switchable,
    Demanded: () => connecting,
    Reconnect: () => connecting,
    Enable: () => connecting
  },
  Disconnected: {
    ...switchable,
    Disconnect: () => undefined,
    Reconnect: () => connecting,
    Enable: () => connecting
  },
  Disabling: {
    Enable: ({ enable }) => enable ? undefined : State.Disabling({ enable: true }),
    Disable: ({ enable }) => enable ? disabling : undefined,
    TornDown: ({ enable }) => enable ? connecting : State.Disabled(),
    Close: () => State.Closed()
  },
  Disabled: {
    Enable: () => connecting,
    Close: () => State.Closed()
  },
  Closed: {}
}

/** The next state, or a refusal. Defined for every state and event; never throws. */
export const transition = (state: State, event: Event): Transition => {
  const rule = table[state._tag][event._tag] as ((state: State, event: Event) => State | undefined) | undefined
  const next = rule?.(state, event)
  return next === undefined ? { _tag: "Refused", state, event } : { _tag: "Accepted", state: next }
}

/** What happens on entering a state, and holds as long as it lasts. */
interface Entry {
  /** The wait for the next attempt that begins. */
  readonly timer?: "backoff" | "probe"
  /** What becomes of the session of a connection that the network has ended: the next attempt may resume it, or it ends. (T11) */
  readonly session: "kept" | "ended"
  /**
   * What a call without a connection does: it `waits`, and may also make the attempt (`connects`) or bring it forward (`hastens`); or it
   * fails, and may make an attempt now and then (`paced`). (R8, R13)
   */
  readonly demand: "waits" | "connects" | "hastens" | "fails" | "paced"
  /** What becomes of the catalogue: it is shown, as stale without a connection, or withdrawn. (P2) */
  readonly catalog: "shown" | "withdrawn"
  /** What the state means, where its name does not say it to people. */
  readonly meaning?: string
  /** What to do about a state in which calls fail. */
  readonly remedy?: string
}

const disabled: Entry = {
  session: "ended",
  demand: "fails",
  catalog: "withdrawn",
  remedy: "Call enable() to use it again"
}

/** The one table of what states do, by which the supervisor, calls and the catalogue go. */
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
    remedy: "Fix the cause, then call reconnect()"
  },
  Disconnected: {
    session: "ended",
    demand: "fails",
    catalog: "shown",
    meaning: "it does not connect automatically",
    remedy: "Call reconnect() to connect again"
  },
  Disabling: { ...disabled, meaning: "it is being switched off" },
  Disabled: { ...disabled, meaning: "it is switched off" },
  Closed: {
    session: "ended",
    demand: "fails",
    catalog: "withdrawn",
    meaning: "close() was called, or its scope has ended",
    remedy: "A closed one stays closed; make a new one"
  }
}

/** Whether waiting for a connection is pointless: time does not lead out of the state. */
export const isPointless = ({ _tag }: State): boolean => ["fails", "paced"].includes(entries[_tag].demand)

/** A state for people: its name and, where that does not say it, what it means. */
export const inWords = (state: string): string => {
  const meaning = Object.hasOwn(entries, state) ? entries[state as StateName].meaning : undefined
  return meaning === undefined ? state : `${state} (${meaning})`
}
