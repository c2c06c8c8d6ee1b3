/** What a page says in every language when there is no script to choose one, or when its script is missing. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Texts } from '../texts/en.ts'
import type { Settings } from './settings.ts'

export interface FallbackTexts {
  /** For a browser without scripts, in HTML. */
  noScript: string
  /** For a page whose parts are missing, with buttons that public/rescue.js makes work. */
  lost: string
}

export async function readFallbackTexts(root: string, settings: Settings): Promise<FallbackTexts> {
  // The texts name the product by this global, which in a page the build replaces.
  Object.assign(globalThis, { SETTINGS: settings })
  const folder = join(root, 'texts')
  const tags = readdirSync(folder).flatMap((name) => /^(\w{2,3})\.ts$/.exec(name)?.[1] ?? [])
  const catalogs = await Promise.all(
    tags
      .toSorted((one, other) => Number(other === 'en') - Number(one === 'en'))
      .map(async (tag) => {
        const exported: Record<string, Texts> = await import(pathToFileURL(join(folder, `${tag}.ts`)).href)
        const catalog = new Map(Object.entries(exported)).get(tag)
        return catalog ? [{ tag, common: catalog.common }] : []
      }),
  )
  const inEach = (write: (common: Texts['common']) => string) =>
    catalogs
      .flat()
      .map(({ tag, common }) => `<p class="late" lang="${tag}">${write(common)}</p>`)
      .join('')
  return {
    noScript: inEach(({ noScript }) => noScript),
    lost: inEach(({ lost, loadAgain }) => `${lost} <button type="button" class="quiet">${loadAgain}</button>`),
  }
}
