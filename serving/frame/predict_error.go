package frame

// PredictError is data that fits the signature and that the model's own library would still raise an error
// about; Kind is the Python exception. MLflow's server answers it with 400 BAD_REQUEST.
type PredictError struct{ Kind, Message string }

func (e *PredictError) Error() string { return e.Kind + ": " + e.Message }
