/** Pictures to detections, embeddings and names: what the dairy lambdas use. */
export type { Box, Detection } from './boxes.ts';
export { clipBox, growBox, iou, suppressOverlaps } from './boxes.ts';
export { cropImage } from './crop-image.ts';
export type { DairyModels, IdentityModel } from './dairy-models.ts';
export { coatOf, parseDairyModels, readDairyModels } from './dairy-models.ts';
export type { Coat } from './decode-cow-box.ts';
export type { ImageLimits, RawImage } from './decode-image.ts';
export { ImageDecoder, imageLimits } from './decode-image.ts';
export type { VisionErrorCode } from './errors.ts';
export type { CowFinding } from './find-cow.ts';
export { findCow } from './find-cow.ts';
export type { GalleryLimits, Match } from './gallery.ts';
export { Gallery, galleryLimits } from './gallery.ts';
export type { DecoderConfig, ModelConfig, ResizeMode } from './model-config.ts';
export { parseModelConfig } from './model-config.ts';
export { openSession } from './open-session.ts';
export type { VisionResult } from './vision-model.ts';
export { VisionModel } from './vision-model.ts';
