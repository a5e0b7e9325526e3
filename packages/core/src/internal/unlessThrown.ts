import { Option } from "effect"

/** `undefined` where it throws. */
export const unlessThrown = <A>(run: () => A): A | undefined => Option.getOrUndefined(Option.liftThrowable(run)())
