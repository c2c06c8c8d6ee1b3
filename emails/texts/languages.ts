/**
 * The languages that emails can be written in; English is the one that is sent. A further language is a folder of the same
 * shape beside `en`, and an entry here.
 */
import { en } from './en/en.ts'

export type Texts = typeof en

export const catalogs = { en } satisfies Record<string, Texts>

export type Language = keyof typeof catalogs
