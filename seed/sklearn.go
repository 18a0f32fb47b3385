package seed

import "math"

// sklearnVersion is the release whose attributes the pickles follow. Attributes that only older releases (from 0.23)
// read are there as well; scikit-learn ignores those it does not know. Every other release warns of the difference, as
// it does for any pickle.
const sklearnVersion = "1.9.1"

// estimator is a scikit-learn object: its attributes and the version every estimator's state carries.
func estimator(module, class string, attrs ...pyItem) pyObject {
	return pyObject{
		class: pyGlobal{module, class},
		attrs: append(attrs, pyItem{"_sklearn_version", sklearnVersion}),
	}
}

// pickleElasticNet is the model as a pickled sklearn.linear_model.ElasticNet, fitted on columns of these names.
func pickleElasticNet(m *ElasticNet, names []string) []byte {
	return pickle(estimator("sklearn.linear_model._coordinate_descent", "ElasticNet",
		pyItem{"alpha", m.Alpha},
		pyItem{"l1_ratio", m.L1Ratio},
		pyItem{"fit_intercept", true},
		pyItem{"normalize", false}, // until 1.1
		pyItem{"precompute", false},
		pyItem{"max_iter", enetIterations},
		pyItem{"copy_X", true},
		pyItem{"tol", enetTolerance},
		pyItem{"warm_start", false},
		pyItem{"positive", false},
		pyItem{"random_state", 42},
		pyItem{"selection", "cyclic"},
		pyItem{"feature_names_in_", names},
		pyItem{"n_features_in_", len(names)},
		pyItem{"n_iter_", m.Iterations},
		pyItem{"coef_", m.Coef},
		pyItem{"dual_gap_", m.DualGap},
		pyItem{"intercept_", []float64{m.Intercept}},
	))
}

// pickleFraud is the model as the pickled sklearn.pipeline.Pipeline it stands for.
func pickleFraud(m *FraudModel) []byte {
	numeric, texts := []string{"amount"}, []string{"age", "gender", "category"}
	all := fraudInputs()
	names := make([]string, len(all))
	for i, in := range all {
		names[i] = in.Name
	}

	// A ColumnTransformer holds each of its parts twice: as it was given and as it was fitted.
	part := func(fitted bool) (number, hot pyObject) {
		imputer, scaler, encoder := imputerParams(), scalerParams(), encoderParams()
		if fitted {
			imputer = append(imputer,
				pyItem{"feature_names_in_", numeric},
				pyItem{"n_features_in_", 1},
				pyItem{"_fit_dtype", dtype("f8")},
				pyItem{"_fill_dtype", dtype("f8")},
				pyItem{"indicator_", nil},
				pyItem{"statistics_", []float64{m.Median}},
			)
			scaler = append(scaler,
				pyItem{"n_features_in_", 1},
				pyItem{"n_samples_seen_", m.Samples},
				pyItem{"mean_", []float64{m.Mean}},
				pyItem{"var_", []float64{m.Variance}},
				pyItem{"scale_", []float64{m.Scale}},
			)
			encoder = append(encoder,
				pyItem{"_infrequent_enabled", false},
				pyItem{"feature_names_in_", texts},
				pyItem{"n_features_in_", len(texts)},
				pyItem{"categories_", pyList{m.Ages, m.Genders, m.Categories}},
				pyItem{"_drop_idx_after_grouping", nil},
				pyItem{"drop_idx_", nil},
				pyItem{"_n_features_outs", pyList{len(m.Ages), len(m.Genders), len(m.Categories)}},
			)
		}
		number = pipeline(
			pyTuple{"imputer", estimator("sklearn.impute._base", "SimpleImputer", imputer...)},
			pyTuple{"scaler", estimator("sklearn.preprocessing._data", "StandardScaler", scaler...)},
		)
		return number, estimator("sklearn.preprocessing._encoders", "OneHotEncoder", encoder...)
	}
	givenNumber, givenHot := part(false)
	fittedNumber, fittedHot := part(true)
	slice := func(from, to int) pyCall {
		return pyCall{function: pyGlobal{"builtins", "slice"}, args: pyTuple{from, to, nil}}
	}

	transformer := estimator("sklearn.compose._column_transformer", "ColumnTransformer",
		pyItem{"transformers", pyList{
			pyTuple{"num", givenNumber, objects(numeric)},
			pyTuple{"cat", givenHot, objects(texts)},
		}},
		pyItem{"remainder", "drop"},
		pyItem{"sparse_threshold", 0.3},
		pyItem{"n_jobs", nil},
		pyItem{"transformer_weights", nil},
		pyItem{"verbose", false},
		pyItem{"verbose_feature_names_out", true},
		pyItem{"force_int_remainder_cols", false}, // 1.5 to 1.8
		pyItem{"feature_names_in_", names},
		pyItem{"_feature_names_in", names}, // 0.23
		pyItem{"n_features_in_", len(names)},
		pyItem{"_n_features", len(names)}, // until 1.2
		pyItem{"_has_str_cols", true},     // 0.23
		pyItem{"_columns", pyList{objects(numeric), objects(texts)}},
		pyItem{"_transformer_to_input_indices", pyDict{
			{"num", pyList{3}}, {"cat", pyList{0, 1, 2}}, {"remainder", pyList{}},
		}},
		pyItem{"_remainder", pyTuple{"remainder", "drop", pyList{}}},
		pyItem{"sparse_output_", false},
		pyItem{"_name_to_fitted_passthrough", pyDict{}}, // 1.2 to 1.4
		pyItem{"transformers_", pyList{
			pyTuple{"num", fittedNumber, objects(numeric)},
			pyTuple{"cat", fittedHot, objects(texts)},
		}},
		pyItem{"output_indices_", pyDict{
			{"num", slice(0, 1)}, {"cat", slice(1, len(m.Coef))}, {"remainder", slice(0, 0)},
		}},
	)
	classifier := estimator("sklearn.linear_model._logistic", "LogisticRegression",
		pyItem{"penalty", "l2"},
		pyItem{"C", 1.0},
		pyItem{"l1_ratio", 0.0},
		pyItem{"dual", false},
		pyItem{"tol", 1e-4},
		pyItem{"fit_intercept", true},
		pyItem{"intercept_scaling", 1},
		pyItem{"class_weight", nil},
		pyItem{"random_state", nil},
		pyItem{"solver", "newton-cholesky"},
		pyItem{"max_iter", 100},
		pyItem{"multi_class", "auto"}, // until 1.7
		pyItem{"verbose", 0},
		pyItem{"warm_start", false},
		pyItem{"n_jobs", nil},
		pyItem{"n_features_in_", len(m.Coef)},
		// 32 bits, so that the answers are what the signature calls integer.
		pyItem{"classes_", []int32{0, 1}},
		pyItem{"n_iter_", []int32{int32(m.Iterations)}},
		pyItem{"coef_", pyMatrix(m.Coef)},
		pyItem{"intercept_", []float64{m.Intercept}},
	)
	return pickle(pipeline(pyTuple{"preprocessor", transformer}, pyTuple{"classifier", classifier}))
}

func pipeline(steps ...any) pyObject {
	return estimator("sklearn.pipeline", "Pipeline",
		pyItem{"steps", pyList(steps)},
		pyItem{"transform_input", nil},
		pyItem{"memory", nil},
		pyItem{"verbose", false},
	)
}

func imputerParams() []pyItem {
	return []pyItem{
		{"missing_values", math.NaN()},
		{"add_indicator", false},
		{"keep_empty_features", false},
		{"strategy", "median"},
		{"fill_value", nil},
		{"verbose", 0}, // until 1.2
		{"copy", true},
	}
}

func scalerParams() []pyItem {
	return []pyItem{{"with_mean", true}, {"with_std", true}, {"copy", true}}
}

func encoderParams() []pyItem {
	return []pyItem{
		{"categories", "auto"},
		{"sparse", true}, // until 1.3
		{"sparse_output", true},
		{"dtype", pyGlobal{"numpy", "float64"}},
		{"handle_unknown", "ignore"},
		{"drop", nil},
		{"min_frequency", nil},
		{"max_categories", nil},
		{"feature_name_combiner", "concat"},
	}
}
