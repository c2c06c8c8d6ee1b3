/**
 * What the model-based test is to do, from the environment of whoever starts it. `npm test` starts from the same seed
 * every time, so that a change is blamed for its own failures; `npm run model` starts from another one each time. A
 * failure prints the seed and the paths that show it again:
 *
 *     MODEL_SEED=1 MODEL_PATH=3:2 MODEL_REPLAY_PATH=AAA: npm run model
 */
const { MODEL_COMMANDS, MODEL_SEED, MODEL_PATH, MODEL_REPLAY_PATH } = process.env

export const modelSettings = {
  commands: Number(MODEL_COMMANDS ?? 3000),
  seed: Number(MODEL_SEED ?? (MODEL_COMMANDS === undefined ? 1 : Date.now() % 2 ** 31)),
  ...(MODEL_PATH !== undefined && { path: MODEL_PATH }),
  ...(MODEL_REPLAY_PATH !== undefined && { replayPath: MODEL_REPLAY_PATH }),
}
