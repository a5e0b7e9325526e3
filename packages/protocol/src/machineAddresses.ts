import { networkInterfaces } from "node:os"

/** On its networks, as a text. Those of links come and go with containers. */
export const machineAddresses = (): string =>
  Object.values(networkInterfaces())
    .flatMap((all) => all?.filter(({ address, internal }) => !internal && !/^fe80:/i.test(address)) ?? [])
    .map(({ address }) => address)
    .toSorted()
    .join(" ")
