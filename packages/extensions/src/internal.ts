/** For the other packages of Lifeline only: it may change with each minor version. */
export { decode as decodeFilters, FilteredLists } from "./filters/FilteredLists.js"
export * as ListFilter from "./filters/ListFilter.js"
