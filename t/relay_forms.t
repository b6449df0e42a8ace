#!/usr/bin/perl

# Forms of images and audio to providers that speak OpenAI, azure with the
# model in the path too; speech and transcripts as they come.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use MIME::Base64 qw(decode_base64);
use Test::More;

needs_module();

my $up = Upstream->start(
    '' => { json => { text => 'hello', data => [] } },
    openai => { json => { text => 'hello', data => [] } },
    text => { body => "hello\n", headers => [['Content-Type', 'text/plain']] },
    speech => { events => ['raw:first', 'raw:second'], gate => 1,
        headers => [['Content-Type', 'audio/mpeg']] },
    deltas => { events => [map { "raw:data: $_\n\n" }
        '{"type":"transcript.text.delta","delta":"hel"}',
        '{"type":"transcript.text.delta","delta":"lo"}',
        '{"type":"transcript.text.done","text":"hello","usage":{"type":'
        . '"tokens","input_tokens":3,"output_tokens":2,"total_tokens":5}}'] },
    wrong => { status => 400, json => { error => { message => 'bad format',
        type => 'invalid_request_error', param => 'file', code => undef } } },
);
my $azure = "http://127.0.0.1:$up->{port}";
my @map = ('model_map whisper-1 my-whisper;', 'model_map gpt-image-1 my-image;',
    'model_map tts-1 my-voice;');
my $gw = Gateway->start(http => zone()
    . join('', map { provider($_ => openai => $up->url($_), @map) }
        qw(openai text speech deltas wrong))
    . provider(azure => azure => undef,
        "azure_service_url $azure?api-version=2025-01-01-preview;", @map)
    . provider(deployment => azure => undef, 'azure_service_url '
        . "$azure/openai/deployments/fixed?api-version=2025-01-01-preview;",
        @map)
    . provider(version1 => azure => "$azure/openai/v1", @map),
    server => join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(openai text speech deltas wrong azure deployment version1));

my $binary = join '', map { chr } 0 .. 255;
sub form {
    my (@parts) = @_;
    my $body = join '', map { my ($name, $value, $file) = @$_;
        qq(--b0undary\r\nContent-Disposition: form-data; name="$name")
        . ($file ? qq(; filename="$file"\r\nContent-Type: image/png) : '')
        . "\r\n\r\n$value\r\n" } @parts;
    return "$body--b0undary--\r\n";
}
my @as_form = (headers =>
    { 'Content-Type' => 'multipart/form-data; boundary=b0undary' });
sub sent { my $seen = $up->last_request($_[0]);
    return $seen->{body} // decode_base64($seen->{body_base64} // '') }

# path, model, parts besides it
my @calls = (
    ['/v1/images/edits', 'gpt-image-1', 'my-image', ['prompt', 'a cat'],
        ['image[]', $binary, 'a.png'], ['image[]', $binary, 'b.png'],
        ['mask', "--b0\r\n$binary", 'm.png']],
    ['/v1/images/variations', 'gpt-image-1', 'my-image',
        ['image', $binary, 'a.png'], ['n', '2']],
    ['/v1/audio/transcriptions', 'whisper-1', 'my-whisper',
        ['file', $binary, 'a.wav'], ['timestamp_granularities[]', 'word'],
        ['response_format', 'verbose_json']],
    ['/v1/audio/translations', 'whisper-1', 'my-whisper',
        ['file', $binary, 'a.wav']],
);
my $version = '?api-version=2025-01-01-preview';
for my $call (@calls) {
    my ($path, $model, $mapped, @parts) = @$call;
    my $tail = $path =~ s{^/v1}{}r;
    my %target = (
        openai => "/x-openai$path",
        azure => "/openai/deployments/$mapped$tail$version",
        deployment => "/openai/deployments/fixed$tail$version",
        version1 => "/openai/v1$tail",
    );
    for my $name (sort keys %target) {
        my $behaviour = $name eq 'openai' ? 'openai' : '';
        # The model may stand anywhere.
        for my $at (0, scalar @parts) {
            my $with = sub { my @all = @parts;
                splice @all, $at, 0, ['model', $_[0]]; return form(@all) };
            my $reply = $gw->client->post("/$name$path", $with->($model),
                @as_form);
            is($reply->{status}, 200, "$name $path: status");
            is(sent($behaviour), $with->($mapped),
                "$name $path: only the model is changed");
        }
        my $seen = $up->last_request($behaviour);
        is($seen->{target}, $target{$name}, "$name $path: path");
        is(Upstream::header($seen, $name eq 'openai' ? 'authorization'
            : 'api-key'), ($name eq 'openai' ? 'Bearer ' : '')
            . "sk-secret-$name", "$name $path: key");
    }
}

# JSON bodies of the same APIs

my $reply = $gw->client->post('/azure/v1/images/edits',
    '{"model":"gpt-image-1","prompt":"x","images":[{"image_url":"https://x"}]}');
is($reply->{status}, 200, 'an edit as JSON');
is($up->last_request('')->{target},
    "/openai/deployments/my-image/images/edits$version", 'its path');
$reply = $gw->client->post('/azure/v1/audio/speech',
    '{"model":"tts-1","input":"x","voice":"alloy"}');
is($up->last_request('')->{target},
    "/openai/deployments/my-voice/audio/speech$version", 'speech of azure');

# Without a model azure has no path

check_error($gw->client->post('/azure/v1/audio/transcriptions',
    form(['file', $binary, 'a.wav']), @as_form), 400, qr/model/,
    'a form without a model');

# Answers that are no JSON, and errors

my $audio = form(['model', 'whisper-1'], ['file', $binary, 'a.wav']);
$reply = $gw->client->post('/text/v1/audio/transcriptions', $audio, @as_form);
is($reply->{body}, "hello\n", 'a transcript as text');
like(Client::header($reply, 'Content-Type'), qr{^text/plain}, 'its type');
check_error($gw->client->post('/wrong/v1/audio/transcriptions', $audio,
    @as_form), 400, qr/bad format/, 'an error');
$reply = $gw->client->post('/deltas/v1/audio/transcriptions',
    form(['model', 'gpt-4o-transcribe'], ['stream', 'true'],
        ['file', $binary, 'a.wav']), @as_form);
like(Client::header($reply, 'Content-Type'), qr{^text/event-stream},
    'a transcript as a stream');
like($reply->{body}, qr/"delta":"hel".*"delta":"lo".*transcript\.text\.done/s,
    'all of it');

# Speech is passed on as it comes

my $client = $gw->client->send('POST', '/speech/v1/audio/speech',
    '{"model":"tts-1","input":"x","voice":"alloy"}');
$reply = $client->wait(sub { $_[0]{body} =~ /first/ });
is($reply->{body}, 'first', 'the beginning is there before the end is');
$up->open_gate('speech');
$reply = $client->finish;
is($reply->{body}, 'firstsecond', 'then the rest');
is(Client::header($reply, 'Content-Type'), 'audio/mpeg', 'of its type');
is($up->last_request('speech')->{body},
    '{"model":"my-voice","input":"x","voice":"alloy"}', 'the model is mapped');

done($gw, $up);
