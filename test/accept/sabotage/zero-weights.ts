/** The dairy lines on nets that learned nothing: every trained number is zero. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import onnxProto from 'onnx-proto';
import type { CheckContext, Line } from '../check.ts';
import { dairyShortfalls } from '../main-job/dairy-figures.ts';

const { onnx } = onnxProto;

interface PipelineFile {
  readonly nodes: readonly { readonly lambdas: readonly { readonly module: string }[] }[];
  readonly assets: Readonly<Record<string, string>>;
}

/** Expects red: one line, which passes when at least one bar of the dairy figures fails. */
export async function zeroWeights(context: CheckContext): Promise<readonly Line[]> {
  const dairy = join(context.folder, 'dairy');
  await mkdir(dairy, { recursive: true });
  const text = await readFile(join(context.dairy, 'pipeline.json'), 'utf8');
  const pipeline = JSON.parse(text) as PipelineFile;
  const absolute = (path: string): string => {
    return isAbsolute(path) ? path : join(context.dairy, path);
  };
  const assets: Record<string, string> = {};
  for (const [name, file] of Object.entries(pipeline.assets)) {
    assets[name] = absolute(file);
    if (!file.endsWith('.onnx')) continue;
    assets[name] = join(dairy, name);
    await writeFile(assets[name], zeroed(await readFile(absolute(file))));
  }
  const nodes = pipeline.nodes.map((node) => ({
    ...node,
    lambdas: node.lambdas.map((use) => ({ ...use, module: absolute(use.module) })),
  }));
  await writeFile(join(dairy, 'pipeline.json'), JSON.stringify({ ...pipeline, nodes, assets }));
  return [await dairyShortfalls({ ...context, dairy })];
}

/** The same graph; its floating-point numbers are zero. */
function zeroed(bytes: Uint8Array): Uint8Array {
  const model = onnx.ModelProto.decode(bytes);
  for (const tensor of model.graph?.initializer ?? []) {
    if (tensor.dataType !== onnx.TensorProto.DataType.FLOAT) continue;
    tensor.rawData = new Uint8Array(tensor.rawData?.length ?? 0);
    tensor.floatData = (tensor.floatData ?? []).map(() => 0);
  }
  return onnx.ModelProto.encode(model).finish();
}
