const LIBRARIES = /^(sklearn|xgboost|lightgbm|catboost|torch\.nn|keras|tensorflow|transformers)\b/;
const NAMES =
  /(Classifier|Regressor|Regression|Estimator|Booster|Pipeline|SearchCV|Model|Network|Net|Forest|SVC|SVR|NB)$/;
/** Parts of the same libraries that are no models. */
const OTHER = /(Scaler|Encoder|Transformer|Vectorizer|Imputer|DMatrix|Dataset|Bunch|Config)$/;

/** Whether a value of this type, as the run names it, may be meant to be kept as a model. */
export function looksLikeModel(type: string | null | undefined): boolean {
  if (!type) {
    return false;
  }
  const name = type.split('.').pop() ?? '';
  return !OTHER.test(name) && (LIBRARIES.test(type) || NAMES.test(name));
}
