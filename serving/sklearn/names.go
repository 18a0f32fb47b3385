package sklearn

type loadModel = func(*loader, *estimator, int) (*model, error)

type loadTransformer = func(*loader, *estimator, int) (transformer, error)

// modelNamed lists the estimators that predict which this engine reads, by class name; nil for the rest.
func modelNamed(name string) loadModel {
	switch name {
	case "Pipeline":
		return loadPipeline
	case "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "GammaRegressor", "HuberRegressor", "Lars", "LarsCV",
		"Lasso", "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression", "LinearSVR",
		"MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV",
		"OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV", "PassiveAggressiveRegressor", "PoissonRegressor",
		"QuantileRegressor", "Ridge", "RidgeCV", "SGDRegressor", "TheilSenRegressor", "TweedieRegressor":
		return loadLinear
	case "RANSACRegressor":
		return loadRansac
	case "LinearDiscriminantAnalysis", "LinearSVC", "LogisticRegression", "LogisticRegressionCV", "PassiveAggressiveClassifier",
		"Perceptron", "RidgeClassifier", "RidgeClassifierCV", "SGDClassifier":
		return loadLinearClassifier
	case "QuadraticDiscriminantAnalysis":
		return loadQuadratic
	case "DecisionTreeRegressor", "ExtraTreeRegressor", "RandomForestRegressor", "ExtraTreesRegressor":
		return loadTreeRegressor
	case "DecisionTreeClassifier", "ExtraTreeClassifier", "RandomForestClassifier", "ExtraTreesClassifier":
		return loadTreeClassifier
	case "GradientBoostingRegressor", "GradientBoostingClassifier":
		return loadBoosting
	case "HistGradientBoostingRegressor", "HistGradientBoostingClassifier":
		return loadHist
	case "IsolationForest":
		return loadIsolation
	case "AdaBoostClassifier", "AdaBoostRegressor":
		return loadAdaBoost
	case "BaggingClassifier", "BaggingRegressor":
		return loadBagging
	case "VotingClassifier", "VotingRegressor":
		return loadVoting
	case "StackingClassifier", "StackingRegressor":
		return loadStacking
	case "GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV":
		return loadSearch
	case "RFE", "RFECV":
		return loadElimination
	case "TransformedTargetRegressor":
		return loadTransformedTarget
	case "CalibratedClassifierCV":
		return loadCalibrated
	case "MultiOutputRegressor", "MultiOutputClassifier":
		return loadMultiOutput
	case "ClassifierChain", "RegressorChain":
		return loadOutputChain
	case "OneVsRestClassifier":
		return loadOneVsRest
	case "OneVsOneClassifier":
		return loadOneVsOne
	case "_ConstantPredictor":
		return loadConstantPredictor
	case "KNeighborsClassifier", "KNeighborsRegressor":
		return loadNeighbors
	case "NearestCentroid":
		return loadNearestCentroid
	case "SVC", "NuSVC":
		return loadSVC
	case "SVR", "NuSVR", "OneClassSVM":
		return loadSVR
	case "GaussianNB", "BernoulliNB", "MultinomialNB", "ComplementNB", "CategoricalNB":
		return loadBayes
	case "MLPClassifier", "MLPRegressor":
		return loadPerceptrons
	case "KMeans", "MiniBatchKMeans", "MeanShift":
		return loadClusters
	case "GaussianMixture":
		return loadMixture
	case "EllipticEnvelope":
		return loadEnvelope
	case "DummyClassifier", "DummyRegressor":
		return loadDummy
	case "IsotonicRegression":
		return loadIsotonic
	case "PLSRegression":
		return loadPartialLeastSquares
	}
	return nil
}

// transformerNamed lists the transformers that this engine reads, by class name; nil for the rest.
func transformerNamed(name string) loadTransformer {
	switch name {
	case "MaxAbsScaler", "MinMaxScaler", "RobustScaler", "StandardScaler":
		return loadScaler
	case "Normalizer":
		return loadNormalizer
	case "PowerTransformer":
		return loadPower
	case "QuantileTransformer":
		return loadQuantile
	case "Binarizer":
		return loadBinarizer
	case "PolynomialFeatures":
		return loadPolynomial
	case "KBinsDiscretizer":
		return loadBins
	case "SimpleImputer":
		return loadImputer
	case "KNNImputer":
		return loadNeighborImputer
	case "MissingIndicator":
		return loadIndicator
	case "OneHotEncoder":
		return loadOneHot
	case "OrdinalEncoder":
		return loadOrdinal
	case "TargetEncoder":
		return loadTargetEncoder
	case "ColumnTransformer":
		return loadColumnTransformer
	case "FeatureUnion":
		return loadUnion
	case "FunctionTransformer":
		return loadFunction
	case "PCA", "IncrementalPCA", "TruncatedSVD", "FastICA", "GaussianRandomProjection":
		return loadProjection
	case "GenericUnivariateSelect", "SelectFdr", "SelectFpr", "SelectFwe", "SelectKBest", "SelectPercentile", "VarianceThreshold",
		"SequentialFeatureSelector", "SelectFromModel":
		return loadSelector
	case "CountVectorizer", "TfidfVectorizer", "HashingVectorizer":
		return loadVectorizer
	case "TfidfTransformer":
		return loadTfidf
	}
	return nil
}
