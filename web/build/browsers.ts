/** The oldest browsers that the pages and the client are built and tested for. Both READMEs name them. */
export const oldestBrowsers = { chrome: '111', edge: '111', firefox: '115', safari: '16.4' } as const

/** As `build.target` of Vite and `target` of esbuild take it. */
export const buildTarget: string[] = Object.entries(oldestBrowsers).map(([name, version]) => name + version)
