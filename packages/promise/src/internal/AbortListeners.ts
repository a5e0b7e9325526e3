/**
 * Calls that share an AbortSignal share one listener, removed after the last of them: Node warns of a leak at eleven.
 *
 * A WeakMap would double the cost of a call with a signal. So each caller of `add` must call `remove`.
 */
const listeners = new Map<EventTarget, (() => void) | Set<() => void>>()

const abort = ({ target }: Event): void => {
  const aborted = target === null ? undefined : listeners.get(target)
  if (target === null || aborted === undefined) return
  forget(target)
  if (typeof aborted === "function") return aborted()
  for (const listener of aborted) listener()
}

const forget = (signal: EventTarget): void => {
  listeners.delete(signal)
  signal.removeEventListener("abort", abort)
}

/** The signal must not be aborted yet. */
export const add = (signal: AbortSignal, listener: () => void): void => {
  const existing = listeners.get(signal)
  if (existing === undefined) {
    listeners.set(signal, listener)
    signal.addEventListener("abort", abort)
  } else if (typeof existing === "function") listeners.set(signal, new Set([existing, listener]))
  else existing.add(listener)
}

export const remove = (signal: AbortSignal, listener: () => void): void => {
  const existing = listeners.get(signal)
  if (existing === listener) forget(signal)
  else if (existing instanceof Set && existing.delete(listener) && existing.size === 0) forget(signal)
}
