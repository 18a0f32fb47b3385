package rest

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

// rawJSON is a field that may hold any JSON.
type rawJSON []byte

var rawJSONType = reflect.TypeFor[rawJSON]()

// assessmentRequest is the Assessment message as clients send it.
type assessmentRequest struct {
	ID         string `json:"assessment_id"`
	Name       string `json:"assessment_name"`
	SpanID     string `json:"span_id"`
	CreateTime string `json:"create_time"`
	UpdateTime string `json:"last_update_time"`
	Source     struct {
		Type enum   `json:"source_type"`
		ID   string `json:"source_id"`
	} `json:"source"`
	Feedback *struct {
		Value rawJSON `json:"value"`
		Error *struct {
			Code       string `json:"error_code"`
			Message    string `json:"error_message"`
			StackTrace string `json:"stack_trace"`
		} `json:"error"`
	} `json:"feedback"`
	Expectation *struct {
		Value      rawJSON `json:"value"`
		Serialized *struct {
			Format string `json:"serialization_format"`
			Value  string `json:"value"`
		} `json:"serialized_value"`
	} `json:"expectation"`
	Issue *struct {
		Name string `json:"issue_name"`
	} `json:"issue"`
	Rationale string            `json:"rationale"`
	Metadata  map[string]string `json:"metadata"`
	Overrides string            `json:"overrides"`
}

func (r *assessmentRequest) assessment(path string) (registry.Assessment, error) {
	out := registry.Assessment{
		ID: r.ID, Name: r.Name, SpanID: r.SpanID, Source: registry.AssessmentSource{Type: string(r.Source.Type), ID: r.Source.ID},
		Metadata: r.Metadata, Overrides: r.Overrides,
	}
	if r.Rationale != "" {
		out.Rationale = &r.Rationale
	}
	var err error
	if r.CreateTime != "" {
		if out.CreateTime, err = registry.ParseTimestamp(r.CreateTime, path+".create_time"); err != nil {
			return out, err
		}
	}
	if r.UpdateTime != "" {
		if out.UpdateTime, err = registry.ParseTimestamp(r.UpdateTime, path+".last_update_time"); err != nil {
			return out, err
		}
	}
	switch { // with several, MLflow takes the first
	case r.Expectation != nil:
		out.Expectation = &registry.Expectation{Value: json.RawMessage(r.Expectation.Value)}
		if s := r.Expectation.Serialized; s != nil {
			out.Expectation.Serialized = &registry.SerializedValue{Format: s.Format, Value: s.Value}
		}
	case r.Feedback != nil:
		out.Feedback = &registry.Feedback{Value: json.RawMessage(r.Feedback.Value)}
		if e := r.Feedback.Error; e != nil {
			out.Feedback.Error = &registry.AssessmentError{Code: e.Code, Message: e.Message, StackTrace: e.StackTrace}
		}
	case r.Issue != nil:
		out.Issue = &registry.IssueReference{Name: r.Issue.Name}
	}
	return out, nil
}

type assessmentResponse struct {
	Assessment registry.Assessment `json:"assessment"`
}

type createAssessmentRequest struct {
	TraceID    string             `path:"p1"`
	Assessment *assessmentRequest `json:"assessment" req:"true"`
}

func (a *API) createAssessment(ctx context.Context, r *createAssessmentRequest) (assessmentResponse, error) {
	in, err := r.Assessment.assessment("assessment")
	if err != nil {
		return assessmentResponse{}, err
	}
	in.TraceID = r.TraceID
	out, err := a.CreateAssessment(ctx, in)
	return assessmentResponse{out}, err
}

type assessmentID struct {
	TraceID      string `path:"p1"`
	AssessmentID string `path:"p2"`
}

func (a *API) getAssessment(ctx context.Context, r *assessmentID) (assessmentResponse, error) {
	out, err := a.Assessment(ctx, r.TraceID, r.AssessmentID)
	return assessmentResponse{out}, err
}

type updateAssessmentRequest struct {
	TraceID      string             `path:"p1"`
	AssessmentID string             `path:"p2"`
	Assessment   *assessmentRequest `json:"assessment" req:"true"`
	UpdateMask   string             `json:"update_mask" req:"true"`
}

// updateAssessment changes the fields that the mask names; MLflow passes over names it does not know.
func (a *API) updateAssessment(ctx context.Context, r *updateAssessmentRequest) (assessmentResponse, error) {
	in, err := r.Assessment.assessment("assessment")
	if err != nil {
		return assessmentResponse{}, err
	}
	var u registry.AssessmentUpdate
	for path := range strings.SplitSeq(r.UpdateMask, ",") {
		field, _, _ := strings.Cut(strings.TrimSpace(path), ".")
		switch field {
		case "assessmentName", "assessment_name":
			u.Name = &in.Name
		case "rationale":
			u.Rationale = &r.Assessment.Rationale
		case "metadata":
			u.Metadata = in.Metadata
		case "feedback":
			if in.Feedback == nil {
				return assessmentResponse{}, missingValue("assessment.feedback")
			}
			u.Feedback = in.Feedback
		case "expectation":
			if in.Expectation == nil {
				return assessmentResponse{}, missingValue("assessment.expectation")
			}
			u.Expectation = in.Expectation
		}
	}
	out, err := a.UpdateAssessment(ctx, r.TraceID, r.AssessmentID, u)
	return assessmentResponse{out}, err
}

func (a *API) deleteAssessment(ctx context.Context, r *assessmentID) error {
	return a.DeleteAssessment(ctx, r.TraceID, r.AssessmentID)
}
