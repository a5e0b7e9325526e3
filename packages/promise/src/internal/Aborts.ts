/**
 * Listeners of AbortSignals: however many share a signal, it has one of ours, and none once they are gone. Otherwise Node
 * warns of a leak at the eleventh.
 */
const listeners = new WeakMap<EventTarget, Set<() => void>>()

const abort = ({ target }: Event): void => {
  const aborted = target !== null && listeners.get(target)
  if (!aborted) return
  listeners.delete(target)
  for (const listener of aborted) listener()
}

/** Calls a listener when a signal, which is not aborted yet, is. */
export const add = (signal: AbortSignal, listener: () => void): void => {
  const known = listeners.get(signal)
  if (known !== undefined) return void known.add(listener)
  listeners.set(signal, new Set([listener]))
  signal.addEventListener("abort", abort, { once: true })
}

/** Takes it back. */
export const remove = (signal: AbortSignal, listener: () => void): void => {
  const known = listeners.get(signal)
  if (known?.delete(listener) !== true || known.size > 0) return
  listeners.delete(signal)
  signal.removeEventListener("abort", abort)
}
