/**
 * Makes an inner layer of an ONNX model its only output, in memory, at load. What the layer does
 * not need is then not computed: an embedding costs less than the whole network.
 */
import onnxProto from 'onnx-proto';
import { reasonOf, visionError } from './errors.ts';
import { nearestName } from './parse-config.ts';

/**
 * @param model the bytes of an ONNX file
 * @param layer the name of a node's output, as graph viewers show it
 * @param file for the messages
 * @throws MODEL_INVALID when the bytes are not ONNX or no node gives that output
 */
export function exposeLayer(model: Uint8Array, layer: string, file: string): Uint8Array {
  const proto = decodeModel(model, file);
  const graph = proto.graph;
  const names = (graph?.node ?? []).flatMap((node) => node.output ?? []);
  if (graph === null || graph === undefined || names.length === 0) {
    throw notOnnx(file, 'it holds no graph of nodes');
  }
  if (!names.includes(layer)) {
    const nearest = nearestName(layer, names);
    const hint =
      nearest === null ? `the last are ${names.slice(-3).join(', ')}` : `near: ${nearest}`;
    throw visionError('MODEL_INVALID', {
      message: `${file} has no layer ${layer} among its ${names.length}; ${hint}`,
      mend: 'Name a layer of that model in `expose`',
    });
  }
  // Without a type: the runtime infers it from the graph.
  graph.output = [onnxProto.onnx.ValueInfoProto.create({ name: layer })];
  return onnxProto.onnx.ModelProto.encode(proto).finish();
}

function decodeModel(
  model: Uint8Array,
  file: string,
): InstanceType<typeof onnxProto.onnx.ModelProto> {
  try {
    return onnxProto.onnx.ModelProto.decode(model);
  } catch (thrown) {
    throw notOnnx(file, reasonOf(thrown), thrown);
  }
}

function notOnnx(file: string, reason: string, cause: unknown = null): Error {
  return visionError('MODEL_INVALID', {
    message: `${file} is no ONNX model: ${reason}`,
    mend: 'Give the path of an .onnx file',
    cause,
  });
}
