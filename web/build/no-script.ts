/** What a page says in every language when there is no script to choose one. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Texts } from '../texts/en.ts'
import type { Settings } from './settings.ts'

/** @returns the paragraphs, in HTML */
export async function readNoScript(root: string, settings: Settings): Promise<string> {
  // The texts contain the name of the product, which the build puts in their place.
  Object.assign(globalThis, { SETTINGS: settings })
  const folder = join(root, 'texts')
  const tags = readdirSync(folder).flatMap((name) => /^(\w{2,3})\.ts$/.exec(name)?.[1] ?? [])
  const paragraphs = tags
    .toSorted((one, other) => Number(other === 'en') - Number(one === 'en'))
    .map(async (tag) => {
      const exported: Record<string, Texts> = await import(pathToFileURL(join(folder, `${tag}.ts`)).href)
      const catalog = new Map(Object.entries(exported)).get(tag)
      return `<p class="late" lang="${tag}">${catalog?.common.noScript ?? ''}</p>`
    })
  return (await Promise.all(paragraphs)).join('')
}
